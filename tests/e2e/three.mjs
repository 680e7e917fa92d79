// One agent with the pages of three CRMs open: each opens its own record, and each gets its own case.
import assert from "node:assert/strict";
import { test, until } from "./checks.mjs";
import { publishCall, sandbox } from "./demo.mjs";
import { keepPicture, nothingBroke, openIn, person, signIn, Visitor } from "./pages.mjs";

const GRACE = { name: "Grace Okafor", email: "grace.okafor@okafor-sons.example", message: "My parcel came open." };

/** What differs from CRM to CRM: where its page says whose record is open, and what it calls a case. */
const CRMS = {
  salesforce: { record: "main h1", made: /^Case \d{8}$/ },
  dynamics: { record: "main h1", made: /^Case CAS-/ },
  zendesk: { record: "main [data-user] .person .n", made: /^Ticket #?\d+$/ },
};

/** One page of the agent's, with the panel in it. */
class Tab {
  constructor(vendor, page, panel) {
    this.vendor = vendor;
    this.page = page;
    this.panel = panel;
    this.log = panel.logs.getByRole("listitem").first();
  }

  static async open(context, vendor, url, agent, password) {
    const page = await openIn(context, url);
    // Zendesk shows an app of the top bar when it is clicked, and has one in the background besides.
    if (vendor === "zendesk") await page.getByRole("button", { name: "Tieline", exact: true }).click();
    const which = vendor === "zendesk" ? 'iframe[data-location="top_bar"]' : 'iframe[src*="/panel/"]';
    return new Tab(vendor, page, await signIn(page, page.frameLocator(which), agent, password));
  }

  /** Waits until the page around the panel shows this person's record. */
  async shows(name) {
    await until(`the page of ${this.vendor} shows ${name}`, async () => {
      const shown = await this.page.locator(CRMS[this.vendor].record).allInnerTexts();
      return shown.some((text) => text.includes(name));
    });
  }

  /** Waits until the page shows this person's record and what rings says who it is in each CRM; keeps a picture. */
  async rings(ringing, name, picture) {
    await ringing.waitFor();
    await this.shows(name);
    const lines = ringing.locator(".best > li");
    for (let n = 0; n < Object.keys(CRMS).length; n += 1) await lines.nth(n).getByText(name).waitFor();
    assert.equal(await lines.count(), Object.keys(CRMS).length, "a line for each CRM");
    // A page behind another is drawn late.
    await this.page.bringToFront();
    await keepPicture(this.page, `${picture}-${this.vendor}`);
  }

  /** Waits until the newest log is saved in all three; what is in this page's CRM opens here, the rest is a link. */
  async logged() {
    for (const [vendor, { made }] of Object.entries(CRMS)) {
      const role = vendor === this.vendor ? "button" : "link";
      await this.log.getByRole(role, { name: made }).waitFor();
    }
  }
}

/** All pages of one agent, Available. */
async function desk({ demo, browser }, agent, extra = {}) {
  const context = await person(browser);
  const tabs = [];
  for (const vendor of Object.keys(CRMS)) {
    tabs.push(await Tab.open(context, vendor, pageOf(demo, vendor, extra[vendor]), agent, demo.password));
  }
  await tabs[0].panel.become("Available");
  for (const { panel } of tabs) await panel.frame.getByTitle("Change presence").filter({ hasText: "Available" }).waitFor();
  return { context, tabs };
}

function pageOf(demo, vendor, extra = {}) {
  const url = new URL(demo.crms[vendor]);
  for (const [name, value] of Object.entries(extra)) url.searchParams.set(name, value);
  assert.notEqual(url.hostname, new URL(demo.panel).hostname, "the panel stands in a page of another site");
  return url.href;
}

const records = async (demo) =>
  Object.fromEntries(
    await Promise.all(Object.keys(CRMS).map(async (vendor) => [vendor, await sandbox(demo, "/records", undefined, vendor)])),
  );

export async function threeTests(world) {
  const { demo } = world;

  // proves D0
  await test("a chat opens the visitor in each CRM's own page and becomes one case in each", async () => {
    const before = await records(demo);
    const { context, tabs } = await desk(world, "anna");
    const visitor = await Visitor.inShop(world);
    await visitor.start(GRACE);
    for (const tab of tabs) await tab.rings(tab.panel.offer, "Grace Okafor", "chat");

    const [first, second, third] = tabs;
    await third.panel.accept();
    for (const { panel } of tabs) await panel.conversation.getByText(GRACE.message, { exact: true }).waitFor();
    await second.panel.say("Which parcel was it?");
    await visitor.conversation.getByText("Which parcel was it?").waitFor();
    for (const { panel } of tabs) await panel.conversation.getByText("Which parcel was it?").waitFor();
    await visitor.end();
    await first.panel.wrapUp.waitFor();
    await first.panel.classify("Delivery", "Send a new cup.");
    await first.panel.complete();
    for (const tab of tabs) await tab.logged();

    const after = await records(demo);
    for (const vendor of Object.keys(CRMS)) {
      const known = new Set(before[vendor].map(({ id }) => id));
      // A call of before may be written down at the same time.
      const told = (record) => JSON.stringify(record).includes("Which parcel was it?");
      const made = after[vendor].filter((record) => !known.has(record.id) && told(record));
      assert.equal(made.length, 1, `one record with the transcript in ${vendor}`);
    }
    nothingBroke(visitor.page, ...tabs.map((tab) => tab.page));
    await context.close();
    await visitor.page.context().close();
  });

  // proves D0, E2
  await test("a call opens its caller in each CRM's own page", async () => {
    // Dynamics with sessions, and Zendesk with the app's second frame in the background.
    const { context, tabs } = await desk(world, "ben", { dynamics: { cif: "2" }, zendesk: { background: "1" } });
    // A number that all three hold with its country, each written in its own way.
    const juergen = { caller: "+49 30 23125777", call: `three-${Date.now()}`, agent: "ben" };
    publishCall(demo, { ...juergen, what: "ringing" });
    for (const tab of tabs) await tab.rings(tab.panel.call, "Jürgen Weißenfels", "call");
    publishCall(demo, { ...juergen, what: "answered" });
    for (const { panel } of tabs) await panel.frame.getByText("Others see: On a call").waitFor();
    publishCall(demo, { ...juergen, what: "ended" });
    for (const { panel } of tabs) await panel.call.waitFor({ state: "detached" });
    nothingBroke(...tabs.map((tab) => tab.page));
    await context.close();
  });
}
