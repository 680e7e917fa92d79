// A real browser on the console page: Open CTI from a panel on another site. Environment: SANDBOX_INSTANCE_URL,
// SANDBOX_CONSOLE_URL, TIELINE_CHROMIUM. The panel is a page of this script's own, served on 127.0.0.1 while the console is
// on localhost, so that the frame is cross-site.
import { createServer } from "node:http";
import { chromium } from "playwright-core";

const INSTANCE = process.env.SANDBOX_INSTANCE_URL;
const CONSOLE = process.env.SANDBOX_CONSOLE_URL;
const consoleOrigin = new URL(CONSOLE).origin;

let passed = 0;
let failed = 0;

async function check(name, work) {
  try {
    await work();
    passed += 1;
    console.log(`ok    ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name}: ${error?.message ?? error}`);
  }
}

function equal(is, wants, what) {
  if (JSON.stringify(is) !== JSON.stringify(wants)) throw new Error(`${what}: ${JSON.stringify(is)} instead of ${JSON.stringify(wants)}`);
}

// The panel: loads the script from the console's address, as an adapter does. `/lost` drops its query string first.
const PANEL = `<!doctype html><meta charset="utf-8"><script>
  window.heard = [];
  const origin = new URLSearchParams(location.search).get("sfdcIframeOrigin") ?? ${JSON.stringify(consoleOrigin)};
  if (location.pathname === "/lost") history.replaceState(null, "", "/lost");
  const script = document.createElement("script");
  script.src = origin + "/support/api/66.0/lightning/opencti_min.js";
  script.onload = () => {
    window.cti = (method, args) => new Promise((done) => sforce.opencti[method]({ ...args, callback: done }));
    sforce.opencti.onClickToDial({ listener: (payload) => heard.push(payload) });
    document.documentElement.dataset.ready = "yes";
  };
  document.head.append(script);
</script>`;
const server = createServer((request, answer) => answer.writeHead(200, { "content-type": "text/html" }).end(PANEL));
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const panel = `http://127.0.0.1:${server.address().port}`;

const setPanel = (url) => fetch(`${INSTANCE}/__sandbox/panel`, { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify({ url }) });
const { known } = await (await fetch(`${INSTANCE}/__sandbox`)).json();
const grace = known.contacts.find((c) => c.name === "Grace Okafor");

const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const browser = await chromium.launch({ executablePath: process.env.TIELINE_CHROMIUM, headless: true, args });
const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
page.setDefaultTimeout(15_000);
const complaints = [];
page.on("console", (message) => { if (message.type() === "error") complaints.push(message.text()); });

async function open(path) {
  await setPanel(panel + path);
  await page.goto(CONSOLE);
  await page.waitForSelector("iframe");
  const frame = await (await page.$("iframe")).contentFrame();
  await frame.waitForSelector("html[data-ready=yes]", { state: "attached" });
  return frame;
}
const pop = (frame, type, params, more = {}) =>
  frame.evaluate(([type, params, more]) => cti("screenPop", { type: sforce.opencti.SCREENPOP_TYPE[type], params, ...more }), [type, params, more]);

let frame = await open("/panel?tenant=demo");
await check("the console keeps the panel's own query and adds its own", () => {
  const query = new URL(frame.url()).searchParams;
  equal([query.get("tenant"), query.get("sfdcIframeOrigin"), query.get("mode")], ["demo", consoleOrigin, "Lightning"], "query");
});
await check("a record opens in a workspace tab", async () => {
  const answer = await pop(frame, "SOBJECT", { recordId: grace.id });
  equal(answer, { success: true, returnValue: null, errors: null }, "answer");
  await page.waitForSelector(`.head[data-record="${grace.id}"]`);
  equal(await page.locator(`[role=tab][aria-selected=true]`).getAttribute("data-record"), grace.id, "tab");
});
await check("the same record again uses the same tab", async () => {
  await pop(frame, "SOBJECT", { recordId: grace.id.slice(0, 15) });
  equal(await page.locator(`[role=tab][data-record="${grace.id}"]`).count(), 1, "tabs");
});
await check("a record that is not there is an error", async () => {
  const answer = await pop(frame, "SOBJECT", { recordId: "003gK0000000zzzAAA" });
  equal([answer.success, answer.errors.length], [false, 1], "answer");
});
await check("numbers can be dialled only once click-to-dial is on", async () => {
  await pop(frame, "SOBJECT", { recordId: grace.id });
  equal(await page.locator("[data-dial]").count(), 0, "before");
  await frame.evaluate(() => cti("enableClickToDial", {}));
  await page.locator("[data-dial]").first().click();
  await frame.waitForFunction(() => window.heard.length === 1);
  const [payload] = await frame.evaluate(() => window.heard);
  equal([payload.number, payload.recordId, payload.objectType], [grace.phone, grace.id, "Contact"], "payload");
});
await check("a new record's form is prefilled and its text stays text", async () => {
  const answer = await pop(frame, "NEW_RECORD_MODAL", { entityName: "Contact" }, { defaultFieldValues: { LastName: "<img src=x onerror=alert(1)>", Phone: "+44 20 7946 0998" } });
  equal(answer.success, true, "answer");
  await page.locator(".modal button[type=submit]").click();
  await page.locator("h1", { hasText: "<img src=x onerror=alert(1)>" }).waitFor();
});
await check("a search opens a search tab, three characters at least", async () => {
  equal((await pop(frame, "SEARCH", { searchString: "li" })).success, false, "two characters");
  equal((await pop(frame, "SEARCH", { searchString: "lindholm" })).success, true, "eight");
  await page.waitForSelector('[data-search="lindholm"]');
});
await check("ranges and shapes are checked", async () => {
  const bad = [["setSoftphonePanelHeight", { heightPX: 239 }], ["setSoftphonePanelWidth", { widthPX: 1921 }], ["setSoftphonePanelVisibility", { visible: 1 }],
    ["searchAndScreenPop", { searchParams: "abc" }], ["saveLog", { value: {} }], ["screenPop", { type: "nonsense", params: {} }]];
  for (const [method, given] of bad) equal((await frame.evaluate(([m, g]) => cti(m, g), [method, given])).success, false, method);
  equal((await frame.evaluate(() => cti("setSoftphonePanelHeight", { heightPX: 600 }))).success, true, "600 px");
});
await check("the panel is hidden and shown, and lives on meanwhile", async () => {
  await frame.evaluate(() => cti("setSoftphonePanelVisibility", { visible: false }));
  equal((await frame.evaluate(() => cti("isSoftphonePanelVisible", {}))).returnValue, { visible: false }, "visible");
  await frame.evaluate(() => cti("setSoftphonePanelVisibility", { visible: true }));
  await page.locator("#dock").waitFor({ state: "visible" });
});
await check("what the API writes shows in the open page", async () => {
  await pop(frame, "SOBJECT", { recordId: known.case.id });
  await page.waitForSelector(`.head[data-record="${known.case.id}"]`);
  await fetch(`${INSTANCE}/__sandbox/records/${known.case.id}`, { method: "PATCH", headers: { "content-type": "application/json" }, body: JSON.stringify({ Subject: "Changed elsewhere" }) });
  await page.locator("h1", { hasText: "Changed elsewhere" }).waitFor();
});
await check("a message from another frame is not obeyed", async () => {
  complaints.length = 0;
  await page.evaluate((id) => window.postMessage({ opencti: 1, id: 1, method: "screenPop", args: { type: "sobject", params: { recordId: id } } }, "*"), grace.id);
  await page.waitForFunction(() => true);
  for (let i = 0; i < 100 && complaints.length === 0; i += 1) await page.evaluate(() => new Promise(requestAnimationFrame));
  equal(complaints.some((c) => c.startsWith("Blocked a frame with origin")), true, "complaint");
  equal(await page.locator(".head").getAttribute("data-record"), known.case.id, "record");
});
frame = await open("/lost");
await check("a panel that lost its query string is not heard", async () => {
  const before = await page.evaluate(() => window.consoleCalls.length);
  const heard = await frame.evaluate(() => Promise.race([
    cti("enableClickToDial", {}).then(() => "answered"),
    new Promise((done) => setTimeout(() => done("silence"), 500)),
  ]));
  equal([heard, await page.evaluate(() => window.consoleCalls.length)], ["silence", before], "answer and calls");
});

await browser.close();
server.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
