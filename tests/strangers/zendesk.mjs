// node-zendesk, as it comes from its registry, against the Zendesk sandbox. Environment: SANDBOX_BASE_URL,
// SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET, SANDBOX_OWNER, SANDBOX_API_TOKEN; NODE_EXTRA_CA_CERTS for https.
import zendeskClients from "node-zendesk";

const { createClient } = zendeskClients;
const BASE = process.env.SANDBOX_BASE_URL;
const OWNER = process.env.SANDBOX_OWNER;
const run = Date.now().toString(36);

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
  if (JSON.stringify(is) !== JSON.stringify(wants)) {
    throw new Error(`${what}: ${JSON.stringify(is)} instead of ${JSON.stringify(wants)}`);
  }
}

async function fails(work, status) {
  try {
    await work();
  } catch (error) {
    // The client's errors name the status in their message only.
    equal(Number(/\((\d{3})\)/.exec(error.message)?.[1]), status, `status in "${error.message}"`);
    return;
  }
  throw new Error(`no error, ${status} was wanted`);
}

async function token() {
  const body = { grant_type: "client_credentials", client_id: process.env.SANDBOX_CLIENT_ID, client_secret: process.env.SANDBOX_CLIENT_SECRET, scope: "read write" };
  const answer = await fetch(`${BASE}/oauth/tokens`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  equal(answer.status, 200, "token endpoint");
  return (await answer.json()).access_token;
}

const place = { subdomain: "sandbox", endpointUri: `${BASE}/api/v2` };
const client = (more) => createClient({ ...place, oauth: true, ...more });
const bearer = await token();
const zendesk = client({ token: bearer });
const { known } = await (await fetch(`${BASE}/__sandbox`)).json();
const grace = known.contacts.find((c) => c.name === "Grace Okafor");
const result = (answer) => answer.result ?? answer;

await check("a bearer is an administrator", async () => {
  equal(result(await zendesk.users.me()).role, "admin", "role");
});
await check("an API token is one, too", async () => {
  const basic = createClient({ ...place, username: OWNER, token: process.env.SANDBOX_API_TOKEN });
  equal(result(await basic.users.me()).email, OWNER, "email");
});
await check("a wrong token is refused", () => fails(() => client({ token: "wrong" }).users.me(), 401));
await check("a customer is found by digits, whatever was typed", async () => {
  const found = result(await zendesk.users.search({ query: "role:end-user phone:*2079460112" }));
  equal(found.map((u) => u.name), ["Grace Okafor"], "found");
});
await check("a number with a plus is not", () => fails(() => zendesk.users.search({ query: "phone:+442079460112" }), 422));
await check("the search of everything, spaces as plus signs", async () => {
  const found = result(await zendesk.search.query("type:user phone:*2079460112"));
  equal(found.map((u) => [u.name, u.result_type]), [["Grace Okafor", "user"]], "found");
});
await check("all pages of a search", async () => {
  const found = result(await zendesk.search.queryAll("type:user role:end-user"));
  equal(found.length > 200, true, "more than two pages");
});
let ada;
await check("a user is made by external id, and found by it", async () => {
  ada = result(await zendesk.users.createOrUpdate({ user: { name: "Ada Node", external_id: `js-${run}`, phone: "+44 20 7946 0777" } }));
  const found = result(await zendesk.users.search({ external_id: `JS-${run}` }));
  equal(found.map((u) => u.id), [ada.id], "found");
});
await check("identities", async () => {
  const all = result(await zendesk.useridentities.list(ada.id));
  equal(all.map((i) => [i.type, i.value]), [["phone_number", "+44 20 7946 0777"]], "identities");
});
let ticket;
await check("a private ticket", async () => {
  ticket = result(await zendesk.tickets.create({ ticket: { subject: "From Node", requester_id: ada.id, external_id: `t-${run}`, comment: { body: "Said by chat", public: false } } }));
  equal([ticket.status, ticket.is_public], ["new", false], "ticket");
});
await check("the same key and body give the same ticket", async () => {
  const once = client({ token: bearer, customHeaders: { "Idempotency-Key": `k-${run}` } });
  const body = { ticket: { subject: "Once", comment: { body: "x", public: false } } };
  const [one, two] = [result(await once.tickets.create(body)), result(await once.tickets.create(body))];
  equal(one.id, two.id, "ids");
  await fails(() => once.tickets.create({ ticket: { ...body.ticket, subject: "Other" } }), 400);
});
await check("an update adds a comment, and comments are listed", async () => {
  await zendesk.tickets.update(ticket.id, { ticket: { comment: { body: "Later", public: false }, tags: ["chat"] } });
  const comments = result(await zendesk.tickets.getComments(ticket.id));
  equal(comments.map((c) => [c.body, c.public]), [["Said by chat", false], ["Later", false]], "comments");
});
await check("no trigger sent an e-mail", async () => {
  equal((await (await fetch(`${BASE}/__sandbox/mails`)).json()).mails.filter((m) => m.ticket === ticket.id), [], "mails");
});
await check("many at once are a job", async () => {
  const many = { tickets: [1, 2, 3].map((n) => ({ subject: `Bulk ${n}`, comment: { body: "x", public: false } })) };
  const job = await zendesk.tickets.createMany(many);
  const done = result(await zendesk.jobstatuses.show(result(job).job_status.id)).job_status;
  equal([done.status, done.results.length], ["completed", 3], "job");
});
await check("a ticket of nobody's number is not there", () => fails(() => zendesk.tickets.show(987654321), 404));
await check("the known people are who they are", async () => {
  equal(result(await zendesk.users.show(grace.id)).email, grace.email, "email");
});

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
