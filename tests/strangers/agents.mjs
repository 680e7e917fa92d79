// A real browser on the Zendesk sandbox's page: the Apps Framework from a panel on another site. Environment:
// SANDBOX_BASE_URL, SANDBOX_CONSOLE_URL, SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET, TIELINE_CHROMIUM. The panel is a page of
// this script's own, on 127.0.0.1 while the agents' page is on localhost; it speaks the protocol as the SDK does:
// JSON strings, a handshake, and silence until it is registered.
import { createServer } from "node:http";
import { chromium } from "playwright-core";

const BASE = process.env.SANDBOX_BASE_URL;
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

const PANEL = `<!doctype html><meta charset="utf-8"><script>
  window.heard = [];
  const query = new URLSearchParams(location.search);
  const [origin, guid] = [query.get("origin"), query.get("app_guid")];
  const pending = new Map();
  let last = 0;
  const say = (words, instance = guid) => parent.postMessage(JSON.stringify({ ...words, appGuid: guid, instanceGuid: instance }), origin);
  window.ask = (request, params, instance) => new Promise((done) => { last += 1; pending.set(last, done); say({ id: last, request, params }, instance); });
  window.tell = say;
  window.on = (name, instance) => say({ key: "iframe.on:" + name, message: { subscriberCount: 1 } }, instance);
  window.reply = {};
  addEventListener("message", (event) => {
    if (event.origin !== origin || event.source !== parent) return;
    const data = JSON.parse(event.data);
    if (data.id !== undefined) { pending.get(data.id)(data.result ?? data.error); return; }
    heard.push(data);
    if (data.needsReply) say({ key: "iframe.reply:" + data.key.slice(4), ...reply });
    if (data.key === "zaf.app.registered") document.documentElement.dataset.location = data.message.context.location;
  });
  if (guid && !location.pathname.includes("mute")) say({ key: "iframe.handshake", message: { version: "2.0.36" } });
</script>`;
const server = createServer((request, answer) => answer.writeHead(200, { "content-type": "text/html" }).end(PANEL));
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const panel = `http://127.0.0.1:${server.address().port}`;

async function send(method, path, body, token) {
  const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
  const answer = await fetch(BASE + path, { method, headers, body: body && JSON.stringify(body) });
  return { status: answer.status, text: await answer.text() };
}
const granted = await send("POST", "/oauth/tokens", { grant_type: "client_credentials", client_id: process.env.SANDBOX_CLIENT_ID, client_secret: process.env.SANDBOX_CLIENT_SECRET, scope: "read write" });
const token = JSON.parse(granted.text).access_token;
const addresses = JSON.parse((await send("GET", "/__sandbox")).text);
const { known } = addresses;
const [grace, tom] = ["Grace Okafor", "Tom Reyes"].map((name) => known.contacts.find((c) => c.name === name));
const [alma, noah] = known.agents;

const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const browser = await chromium.launch({ executablePath: process.env.TIELINE_CHROMIUM, headless: true, args });
const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
page.setDefaultTimeout(15_000);
const complaints = [];
page.on("console", (message) => { if (message.type() === "error") complaints.push(message.text()); });
page.on("pageerror", (error) => complaints.push(error.message));

await send("PUT", "/__sandbox/panel", { url: `${panel}/panel?tenant=demo` });
const frameAt = async (location) => {
  const frame = await (await page.waitForSelector(`iframe[data-location=${location}]`, { state: "attached" })).contentFrame();
  await frame.waitForSelector(`html[data-location=${location}]`, { state: "attached" });
  return frame;
};
const invoke = (frame, action, ...given) => frame.evaluate(([action, given]) => ask("invoke", { [action]: given }), [action, given]);
// Asked by the clock: a frame that is not shown is not painted, and would never be asked at all.
const heard = (frame, key) =>
  frame.waitForFunction((key) => heard.find((h) => h.key === key), key, { polling: 50 }).then((h) => h.jsonValue());

await page.goto(CONSOLE);
await page.waitForSelector("tbody tr");
await check("the app is not loaded before it is clicked", async () => {
  equal(await page.locator("iframe").count(), 0, "frames");
});
await page.click("#app");
let frame = await frameAt("top_bar");
await check("the panel's own query is kept, origin and app_guid are added", () => {
  const query = new URL(frame.url()).searchParams;
  equal([query.get("tenant"), query.get("origin"), query.get("app_guid").length], ["demo", consoleOrigin, 36], "query");
});
await check("registered with metadata and context", async () => {
  const { message } = await heard(frame, "zaf.app.registered");
  equal([message.metadata.appId, message.context.location, message.context.product], [addresses.app_id, "top_bar", "support"], "message");
});
await check("values are got, and there are errors for what is not", async () => {
  const got = await frame.evaluate(() => ask("get", ["currentUser", "currentAccount.subdomain", "ticket.id"]));
  equal([got.currentUser.id, got.currentUser.role, got["currentAccount.subdomain"]], [Number(alma.id), "agent", "tieline-sandbox"], "values");
  equal(got.errors["ticket.id"].message, "No such Api", "error");
});
await check("routeTo opens a user, a ticket, a search", async () => {
  equal((await invoke(frame, "routeTo", "user", grace.id)).errors, {}, "errors");
  await page.waitForSelector(`.user[data-user="${grace.id}"]`);
  await invoke(frame, "routeTo", "ticket", known.case.id);
  await page.waitForSelector(`.ticket[data-ticket="${known.case.id}"]`);
  equal(await page.locator("[role=tab][aria-selected=true]").getAttribute("data-id"), known.case.id, "tab");
  await invoke(frame, "routeTo", "search", "Lindholm");
  await page.waitForSelector("[data-search=Lindholm] tr[data-user]");
});
await check("the same record again uses the same tab", async () => {
  await invoke(frame, "routeTo", "user", grace.id);
  equal(await page.locator("[role=tab][data-kind=user]").count(), 1, "tabs");
});
await check("there is no route to a new user's form", async () => {
  const { errors } = await invoke(frame, "routeTo", "user", "new");
  equal(errors.routeTo.message, "There is no route to user new", "error");
});
await check("popover hides and shows without loading again; resize has its way", async () => {
  await invoke(frame, "popover", "hide");
  await page.waitForSelector("#popover[data-shown=false]", { state: "attached" });
  await invoke(frame, "popover", "show");
  await page.waitForSelector("#popover[data-shown=true]");
  await invoke(frame, "resize", { width: "420px", height: "600px" });
  const box = await page.locator("#popover").boundingBox();
  equal([box.width, box.height], [420, 600], "size");
  equal(await frame.evaluate(() => heard.filter((h) => h.key === "zaf.app.registered").length), 1, "registrations");
});
await check("notify is a text and nothing else", async () => {
  await invoke(frame, "notify", "<img src=x onerror=alert(1)>", "alert", 60_000);
  equal(await page.locator(".toast[data-kind=alert] img").count(), 0, "images");
  await page.click(".toast button");
});
await check("a click on a number is told to who listens", async () => {
  await frame.evaluate(() => on("voice.dialout"));
  await page.locator(".user [data-dial]").first().click();
  equal((await heard(frame, "zaf.voice.dialout")).message, { number: grace.phone }, "message");
});
await check("a request runs as the agent who looks", async () => {
  await frame.evaluate(() => { for (const end of ["done", "fail"]) { on(`request:1.${end}`); on(`request:2.${end}`); } });
  await frame.evaluate(() => tell({ key: "request:1", message: { url: "/api/v2/users/me.json" } }));
  const done = await heard(frame, "zaf.request:1.done");
  equal(done.message.responseArgs[0].user.id, Number(alma.id), "user");
  await frame.evaluate(() => tell({ key: "request:2", message: { url: "/api/v2/tickets/987654321.json" } }));
  const gone = await heard(frame, "zaf.request:2.fail");
  equal([gone.message.responseArgs[0].status, gone.message.responseArgs[0].responseJSON.error], [404, "RecordNotFound"], "failure");
});
await check("an event that needs a reply gets it", async () => {
  await frame.evaluate(() => { on("app.leave"); reply = { error: { msg: "not yet" } }; });
  const said = await page.evaluate(() => agentPage.bar.ask("app.leave", null));
  equal(said, { msg: "not yet" }, "reply");
});
await check("a screen pop by Talk Partner Edition opens the record at its agent only", async () => {
  equal((await send("POST", `/api/v2/channels/voice/agents/${noah.id}/users/${tom.id}/display`, "", token)).status, 200, "to Noah");
  const shown = await send("POST", `/api/v2/channels/voice/agents/${alma.id}/tickets/${known.case.id}/display.json`, "", token);
  equal([shown.status, shown.text], [200, ""], "to Alma");
  await page.waitForSelector(`.ticket[data-ticket="${known.case.id}"]`);
  equal(await page.locator(`[role=tab][data-id="${tom.id}"]`).count(), 0, "Noah's tab");
});
await check("apps/notify reaches the app as an event", async () => {
  await frame.evaluate(() => on("api_notification.tieline_pop"));
  const body = JSON.stringify({ version: 1 });
  equal((await send("POST", "/api/v2/apps/notify", { app_id: addresses.app_id, event: "tieline_pop", agent_id: Number(alma.id), body }, token)).status, 200, "status");
  equal((await heard(frame, "zaf.api_notification.tieline_pop")).message.body, body, "body");
});
await check("what the integration writes appears in the open ticket", async () => {
  const ticket = { comment: { body: "Written by the integration", public: false } };
  equal((await send("PUT", `/api/v2/tickets/${known.case.id}`, { ticket }, token)).status, 200, "status");
  await page.waitForSelector("article[data-public=false] >> text=Written by the integration");
});
await check("a message that names another app_guid, or comes before the handshake, is not heard", async () => {
  const before = await page.evaluate(() => agentPage.zaf.calls.length);
  await frame.evaluate(() => parent.postMessage(JSON.stringify({ id: 99, request: "invoke", params: { notify: ["x"] }, appGuid: "other" }), "*"));
  await frame.evaluate(() => ask("get", ["currentUser"]));
  equal(await page.evaluate(() => agentPage.zaf.calls.length), before, "calls");
  equal(complaints.splice(0).length, 1, "complaints");
});
await check("a background frame wakes the panel in the top bar", async () => {
  await page.goto(`${CONSOLE}?background=1&agent=${noah.id}`);
  const background = await frameAt("background");
  equal(await page.locator("iframe").count(), 1, "frames at first");
  const instances = (await background.evaluate(() => ask("get", ["instances"]))).instances;
  const bar = Object.keys(instances).find((guid) => instances[guid].location === "top_bar");
  await background.evaluate((bar) => ask("invoke", { preloadPane: [] }, bar), bar);
  frame = await frameAt("top_bar");
  equal(await page.locator("#popover").isVisible(), false, "shown");
  await frame.evaluate(() => on("tieline.dialout"));
  await background.evaluate((bar) => tell({ key: "iframe.trigger:tieline.dialout", message: { number: "1" } }, bar), bar);
  equal((await heard(frame, "zaf.tieline.dialout")).message, { number: "1" }, "message");
  await background.evaluate((bar) => ask("invoke", { popover: ["show"] }, bar), bar);
  await page.waitForSelector("#popover[data-shown=true]");
  equal((await frame.evaluate(() => ask("get", ["currentUser.id"])))["currentUser.id"], Number(noah.id), "agent");
});
await check("a customer is added, and found by the number", async () => {
  await page.click("#add");
  await page.click("[data-add=user]");
  await page.fill(".modal [name=name]", "Ada Browser");
  await page.fill(".modal [name=phone]", "(020) 7946-0999");
  await page.click(".modal [type=submit]");
  await page.waitForSelector(".user[data-user]");
  await page.fill("#search", "020 7946 0999");
  await page.keyboard.press("Enter");
  await page.waitForSelector("[data-search] >> text=Ada Browser");
});
await check("nothing was complained about", () => equal(complaints, [], "complaints"));

await browser.close();
server.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
