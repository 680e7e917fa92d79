// What people see and do, by the words on the pages: the shop with the widget, the CRM page, the panel inside it.
import { until } from "./checks.mjs";

/** Chromium tells a frame of another site that it may not take the focus by itself; that is as it should be. */
const HARMLESS = /^Blocked autofocusing/;
const DESK = { width: 1440, height: 900 };

/** Where pictures go that are taken in every run; those of single steps only go where TIELINE_SHOTS says. */
const PICTURES = new URL("../../target/pictures", import.meta.url).pathname;

/** Takes a picture of a page after each step, where pictures are wanted. */
export function photographer({ shots, bus }, name) {
  let count = 0;
  return async (page, step) => {
    count += 1;
    if (shots === null) return;
    await page.screenshot({ path: `${shots}/${bus}-${name}-${String(count).padStart(2, "0")}-${step}.png` });
  };
}

/** Takes a picture in every run. */
export async function keepPicture(page, name) {
  await page.screenshot({ path: `${PICTURES}/${name}.png` });
}

/** What one person has open: pages of one browser. */
export function person(browser, viewport = DESK) {
  return browser.newContext({ viewport, locale: "en-GB" });
}

/** A page in a browser of its own, as another person has it. */
export async function open(browser, url, viewport = DESK) {
  return openIn(await person(browser, viewport), url);
}

/** One more page of a person's; what it reports as an error is kept. */
export async function openIn(context, url) {
  const page = await context.newPage();
  page.faults = [];
  page.on("pageerror", (error) => page.faults.push(`${page.url()}: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" && !HARMLESS.test(message.text())) page.faults.push(`${page.url()}: ${message.text()} (${message.location().url})`);
  });
  await page.goto(url);
  return page;
}

/** An agent with the panel in the CRM page: signed in and Available. */
export async function agentAtWork({ demo, browser }, agent) {
  const page = await open(browser, demo.crm);
  const panel = await signIn(page, page.frameLocator('iframe[src*="/panel/"]'), agent, demo.password);
  await panel.become("Available");
  return panel;
}

/** Signs in at the panel in this frame. */
export async function signIn(page, frame, agent, password) {
  await frame.getByLabel("Agent").fill(agent);
  await frame.getByLabel("Password").fill(password);
  await frame.getByRole("button", { name: "Sign in" }).click();
  await frame.getByTitle("Change presence").waitFor();
  return new Panel(page, frame);
}

export class Panel {
  constructor(page, frame) {
    this.page = page;
    this.frame = frame;
    this.offer = frame.getByRole("alert", { name: "Offer" });
    this.logs = frame.getByRole("region", { name: "Recent logs" });
    /** What the newest log became in the CRM. */
    this.madeCase = this.logs.getByRole("listitem").first().getByRole("button", { name: /^Case \d{8}$/ });
    this.wrapUp = frame.getByRole("region", { name: "Wrap-up", exact: true });
    this.conversation = frame.getByRole("log", { name: "Conversation" });
    this.composer = frame.getByRole("textbox", { name: "Reply" });
    this.call = frame.locator("section.call");
  }

  /** Waits until the chat that is open stands so in the inbox. */
  async stands(state) {
    await this.frame.locator(".chat-head").getByText(new RegExp(`^\\s*${state} · `)).first().waitFor();
  }

  async become(presence) {
    await this.frame.getByTitle("Change presence").click();
    await this.frame.getByRole("menuitemradio", { name: new RegExp(`^${presence}`) }).click();
    await this.frame.getByTitle("Change presence").filter({ hasText: presence }).waitFor();
  }

  async accept() {
    await this.offer.getByRole("button", { name: /Accept/ }).click();
    await this.composer.waitFor();
  }

  async say(text) {
    await this.composer.fill(text);
    await this.composer.press("Enter");
    await this.conversation.getByText(text, { exact: true }).waitFor();
  }

  async classify(code, notes) {
    await this.wrapUp.getByText(code, { exact: true }).click();
    await this.wrapUp.getByLabel(/^Notes/).fill(notes);
  }

  async complete() {
    await this.wrapUp.getByRole("button", { name: "Complete wrap-up" }).click();
    await this.wrapUp.waitFor({ state: "detached" });
  }
}

export class Visitor {
  constructor(page) {
    this.page = page;
    this.frame = page.frameLocator('iframe[title="Chat"]');
    this.conversation = this.frame.getByRole("log", { name: "Conversation" });
    this.message = this.frame.getByRole("textbox", { name: "Message" });
  }

  static async inShop({ demo, browser }) {
    const page = await open(browser, demo.shop, { width: 1180, height: 860 });
    await page.getByRole("button", { name: /Open chat/ }).click();
    return new Visitor(page);
  }

  async start({ name, email, caseNumber, message }) {
    await this.frame.getByLabel(/^Name/).fill(name);
    await this.frame.getByLabel(/^E-mail/).fill(email);
    if (caseNumber) await this.frame.getByLabel(/^Case number/).fill(caseNumber);
    await this.frame.getByLabel(/^How can we help/).fill(message);
    await this.frame.getByRole("button", { name: "Start chat" }).click();
    await this.message.waitFor();
  }

  async say(text) {
    await this.message.fill(text);
    await this.message.press("Enter");
    await this.conversation.getByText(text, { exact: true }).waitFor();
  }

  async end() {
    await this.frame.getByRole("banner").getByRole("button", { name: "End chat" }).click();
    await this.frame.getByRole("alertdialog").getByRole("button", { name: "End chat" }).click();
    await this.frame.getByText("You ended the chat.").waitFor();
  }
}

/** The record that the CRM page shows: its heading, once it is this one. */
export async function recordShown(page, title) {
  await until(`the CRM page shows ${title}`, async () => {
    const shown = await page.locator("main h1").allInnerTexts();
    return shown.some((text) => text.includes(title));
  });
}

/** Fails when a page reported errors. */
export function nothingBroke(...pages) {
  const faults = pages.flatMap((page) => page.faults);
  if (faults.length > 0) throw new Error(`the pages report errors:\n${faults.join("\n")}`);
}
