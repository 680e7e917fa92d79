// Chromium on Dynamics' page, with a panel on another site inside it that speaks the Channel Integration Framework.
// Environment: SANDBOX_ORG_URL, SANDBOX_CONSOLE_URL, TIELINE_CHROMIUM.

import { createServer } from "node:http";
import { chromium } from "playwright-core";

const ORG = process.env.SANDBOX_ORG_URL;
const CONSOLE = process.env.SANDBOX_CONSOLE_URL;
const PANEL = `<!doctype html><title>panel</title><script>
const given = new URLSearchParams(location.search);
window.early = null; window.events = []; window.failures = [];
addEventListener("error", (e) => failures.push(e.message));
addEventListener("CIFInitDone", () => { window.done = true; });
const tag = document.createElement("script");
tag.src = given.get("base") + "/webresources/Widget/msdyn_ciLibrary.js";
if (given.get("bare") === null) tag.dataset.cifid = "CIFMainLibrary";
tag.dataset.crmurl = given.get("wrong") ?? given.get("base");
tag.onload = () => { window.loaded = true; window.early = typeof window.Microsoft?.CIFramework?.createSession; window.defined = window.Microsoft?.CIFramework !== undefined; };
document.head.append(tag);
</script>`;
let passed = 0;
let failed = 0;

async function check(name, work) {
  try {
    await work();
    passed += 1;
    console.log(`ok    ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name}: ${error.message.split("\n")[0]}`);
  }
}
function equal(value, wanted, what) {
  const [a, b] = [JSON.stringify(value), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what}: ${a} instead of ${b}`);
}

const server = createServer((_, answer) => answer.writeHead(200, { "content-type": "text/html" }).end(PANEL));
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const panelUrl = `http://127.0.0.1:${server.address().port}/panel`;
const setPanel = (url) => fetch(`${ORG}/__sandbox/panel`, { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify({ url }) });
await setPanel(panelUrl);
const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const browser = await chromium.launch({ executablePath: process.env.TIELINE_CHROMIUM, args: flags });
const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });

/** Loads the page and gives the panel's frame as soon as `ready` holds in it. */
async function open(url, ready = () => window.done === true) {
  await page.goto(url);
  const element = await page.waitForSelector("#provider iframe");
  const frame = await element.contentFrame();
  await frame.waitForFunction(ready);
  await page.waitForSelector("main[data-view]");
  return frame;
}
let panel = await open(CONSOLE);
/** A call of the framework: how it ended, what it gave, and what kind of thing that is. */
const call = (method, ...args) => panel.evaluate(async ([method, args]) => {
  const shape = (value) => value instanceof Map ? ["Map", Object.fromEntries(value)] : [typeof value, value];
  return Microsoft.CIFramework[method](...args).then((v) => ["ok", ...shape(v)], (e) => ["bad", ...shape(e)]);
}, [method, args]);
const heading = (text) => page.waitForSelector(`main h1:has-text("${text}")`);
const find = async (filter) => JSON.parse((await call("searchAndOpenRecords", "contact", `?$select=contactid,fullname&$filter=${filter}`, true))[2]);
let grace;

await check("version 1 has no sessions, and nothing before CIFInitDone", async () => {
  equal([await panel.evaluate(() => early), await panel.evaluate(() => typeof Microsoft.CIFramework.createSession)], ["undefined", "undefined"], "methods");
});
await check("the environment is JSON in a text, the user's id in braces and capitals", async () => {
  const [, kind, text] = await call("getEnvironment");
  const found = JSON.parse(text);
  equal([kind, /^\{[0-9A-F-]{36}\}$/.test(found.userId), found.cifVersion], ["string", true, "1.0"], "environment");
});
await check("a search that only answers gives an object with numbers for names", async () => {
  const found = await find("emailaddress1 eq 'grace.okafor@okafor-sons.example'");
  equal([Object.keys(found), found["0"].fullname], [["0"], "Grace Okafor"], "found");
  grace = found["0"].contactid;
});
await check("a search with a bare plus finds the number all the same, encoded by the page", async () => {
  equal(Object.values(await find("mobilephone eq '+447700900412'")).map((r) => r.fullname), ["Grace Okafor"], "found");
});
await check("openForm opens a record in the page", async () => {
  equal((await call("openForm", JSON.stringify({ entityName: "contact", entityId: `{${grace.toUpperCase()}}` })))[0], "ok", "answer");
  await heading("Grace Okafor");
  equal(new URL(page.url()).searchParams.get("id"), grace, "address");
});
await check("openForm fills a new record in, and saving it makes it", async () => {
  await call("openForm", JSON.stringify({ entityName: "incident" }), JSON.stringify({ title: "From the panel", customerid: grace, customeridtype: "contact", caseorigincode: 3 }));
  await heading("New case");
  await page.waitForFunction(() => document.querySelector('input[name="customer"]')?.value === "Grace Okafor");
  await page.click("main .commands .first");
  await heading("From the panel");
});
await check("a search with one hit opens it, with several it opens the results", async () => {
  await call("searchAndOpenRecords", "contact", "?$select=fullname&$filter=lastname eq 'Okafor'", false);
  await heading("Grace Okafor");
  await call("searchAndOpenRecords", "contact", "?$select=fullname&$filter=lastname eq 'Lindholm'", false);
  await heading("Search results");
  equal(await page.locator("main tbody tr").count(), 2, "rows");
  await call("renderSearchPage", "contact", "Weißenfels", 0);
  await heading("Results for");
});
await check("a search for a column that is not there never ends", async () => {
  const ended = await panel.evaluate(() => Promise.race([
    Microsoft.CIFramework.searchAndOpenRecords("contact", "?$select=nope", true).then(() => "ok", () => "bad"), new Promise((resolve) => setTimeout(() => resolve("silent"), 1500))]));
  equal(ended, "silent", "end");
});
await check("errors come as an object and as JSON in a text", async () => {
  const [first, kind, error] = await call("createRecord", "contact", { lastname: "x" });
  equal([first, kind, error.msdyn_name], ["bad", "object", "CIFramework_createRecord"], "object");
  const [second, other, text] = await call("retrieveRecord", "contact", grace, "?$select=nope");
  equal([second, other, typeof JSON.parse(text).value.errorMsg], ["bad", "string", "string"], "text");
});
await check("the first change of the mode is not told, the next one is", async () => {
  await panel.evaluate(() => Microsoft.CIFramework.addHandler("onmodechanged", async (text) => events.push(["mode", text])));
  await call("setMode", 0);
  await call("setMode", 1);
  await panel.waitForFunction(() => events.length > 0);
  equal([await panel.evaluate(() => events), (await call("getMode"))[2]], [[["mode", '{"value":1}']], 1], "events");
});
await check("a click on a number is told when it was asked for, the number as typed", async () => {
  await call("setClickToAct", true);
  await call("openForm", JSON.stringify({ entityName: "contact", entityId: grace }));
  await heading("Grace Okafor");
  await panel.evaluate(() => Microsoft.CIFramework.addHandler("onclicktoact", async (text) => { window.clicked = JSON.parse(text); }));
  await page.click('main .dial[aria-label="Call 020 7946 0112"]');
  await panel.waitForFunction(() => window.clicked);
  const { value, name, entityLogicalName, entityId } = await panel.evaluate(() => clicked);
  equal([value, name, entityLogicalName, entityId], ["020 7946 0112", "telephone1", "contact", grace], "clicked");
});
await check("a handler without a promise breaks", async () => {
  await panel.evaluate(() => Microsoft.CIFramework.addHandler("onsizechanged", () => undefined));
  await call("setWidth", 410);
  await panel.waitForFunction(() => failures.length > 0);
  equal((await call("getWidth"))[2], 410, "width");
});

panel = await open(`${CONSOLE}?cif=2`);
await check("version 2 has sessions, tabs and a Map", async () => {
  equal((await call("setMode", 0))[0], "bad", "no mode on the home session");
  const [, , id] = await call("createSession", { templateName: "msdyn_voicecall_session", templateParameters: { entityName: "contact", entityId: grace } });
  await heading("Grace Okafor");
  const [, kind, session] = await call("getSession", id);
  equal([kind, session.isFocused, (await call("getFocusedSession"))[2]], ["Map", true, id], "session");
  const found = JSON.parse((await call("searchAndOpenRecords", "incident", `?$select=incidentid&$filter=title eq 'Second pallet still missing'`, true))[2]);
  equal((await call("createTab", { templateName: "msdyn_entityrecord", templateParameters: { entityName: "incident", entityId: found["0"].incidentid }, isFocused: true }))[0], "ok", "tab");
  await heading("Second pallet still missing");
  equal((await call("getTabs"))[2].length, 2, "tabs");
  equal((await call("createSession", { templateName: "none", templateParameters: {} }))[0], "bad", "a template that is not there");
});
await check("ten sessions, and no more", async () => {
  for (let n = 0; n < 9; n += 1) equal((await call("createSession", { templateName: "msdyn_voicecall_session" }))[0], "ok", `session ${n}`);
  equal([(await call("canCreateSession"))[2], (await call("createSession", { templateName: "msdyn_voicecall_session" }))[0]], [false, "bad"], "the eleventh");
});
await check("a notification ends in each of its ways", async () => {
  const ask = () => call("notifyEvent", { templateName: "msdyn_incoming", templateParameters: { caller: "Grace Okafor" } });
  const settings = (changes) => page.evaluate((changes) => Object.assign(crm.state.settings, changes), changes);
  const click = async (asked, button) => {
    await page.click(`#toasts .toast:first-child ${button}`);
    return Object.values(JSON.parse((await asked)[2]));
  };
  equal(await click(ask(), ".main"), ["Accept", "Accept"], "accepted");
  equal(await click(ask(), ".btn:not(.main)"), ["Reject", "DeclinedByAgent"], "declined");
  await settings({ autoAccept: true });
  equal(JSON.parse((await ask())[2]).responseReason, "AutoAccept", "automatic");
  await settings({ autoAccept: false, displaySeconds: 0.2 });
  equal(Object.values(JSON.parse((await ask())[2])), ["Timeout", "DisplayTimeout"], "shown too long");
  await settings({ displaySeconds: 30, shownMax: 1, queueMax: 1, queueSeconds: 0.2 });
  const first = ask();
  await page.waitForSelector("#toasts .toast");
  const second = ask();
  await page.waitForFunction(() => document.querySelectorAll("#toasts .toast").length === 1);
  equal(JSON.parse((await second)[2]).responseReason, "NotificationQueueTimeLimitExceeded", "queued too long");
  await settings({ queueMax: 0 });
  equal(JSON.parse((await ask())[2]).responseReason, "NotificationQueueLimitExceeded", "queue full");
  equal(await click(first, ".main"), ["Accept", "Accept"], "the first");
  const [end, , error] = await call("notifyEvent", { templateName: "none" });
  equal([end, error.name], ["bad", "NotificationTemplateNotFoundError"], "template");
});
for (const [what, query] of [["without data-cifid", "?bare"], ["for another environment", "?wrong=http://other.example"]]) {
  await check(`a script tag ${what} defines nothing`, async () => {
    await setPanel(panelUrl + query);
    panel = await open(CONSOLE, () => window.loaded === true);
    equal(await panel.evaluate(() => defined), false, "defined");
  });
}

await browser.close();
server.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
