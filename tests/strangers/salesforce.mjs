// jsforce, as it comes from its registry, against the Salesforce sandbox. Environment: SANDBOX_LOGIN_URL,
// SANDBOX_INSTANCE_URL, SANDBOX_KEY_FILE; NODE_EXTRA_CA_CERTS for https.
import { createSign } from "node:crypto";
import { readFileSync } from "node:fs";
import jsforce from "jsforce";

const LOGIN = process.env.SANDBOX_LOGIN_URL;
const INSTANCE = process.env.SANDBOX_INSTANCE_URL;
const CLIENT_ID = process.env.SANDBOX_CONSUMER_KEY;
const CLIENT_SECRET = process.env.SANDBOX_CONSUMER_SECRET;
const USERNAME = process.env.SANDBOX_USERNAME;
const KEY = readFileSync(process.env.SANDBOX_KEY_FILE, "utf8");
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

async function fails(work, code) {
  try {
    await work();
  } catch (error) {
    equal(error.errorCode ?? error.name, code, "error code");
    return error;
  }
  throw new Error(`no error, ${code} was wanted`);
}

async function admin(method, path, body) {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${INSTANCE}/__sandbox/${path}`, { method, headers, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status}`);
}

function assertion(claims = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + 120;
  const body = { iss: CLIENT_ID, sub: USERNAME, aud: "https://login.salesforce.com", exp, ...claims };
  const text = `${part({ alg: "RS256" })}.${part(body)}`;
  return `${text}.${createSign("RSA-SHA256").update(text).sign(KEY).toString("base64url")}`;
}

const connection = (loginUrl, more = {}) =>
  new jsforce.Connection({ version: "66.0", loginUrl, oauth2: { loginUrl, clientId: CLIENT_ID, ...more } });
const GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer";

const sf = connection(LOGIN);

await check("JWT bearer gives a session on the instance host", async () => {
  await sf.authorize({ grant_type: GRANT, assertion: assertion() });
  equal(sf.instanceUrl, INSTANCE, "instance_url");
});
await check("a forged assertion is refused", async () => {
  const forged = `${assertion().split(".").slice(0, 2).join(".")}.${Buffer.alloc(256, 7).toString("base64url")}`;
  await fails(() => connection(LOGIN).authorize({ grant_type: GRANT, assertion: forged }), "invalid_grant");
});
await check("a wrong audience is refused", async () => {
  const wrong = assertion({ aud: "https://else.example" });
  await fails(() => connection(LOGIN).authorize({ grant_type: GRANT, assertion: wrong }), "invalid_grant");
});
await check("client credentials work on the own domain", async () => {
  const own = connection(INSTANCE, { clientSecret: CLIENT_SECRET });
  await own.authorize({ grant_type: "client_credentials" });
  equal((await own.query("SELECT COUNT() FROM Contact")).totalSize > 0, true, "contacts");
});
await check("client credentials are refused on the login host", async () => {
  const own = connection(LOGIN, { clientSecret: CLIENT_SECRET });
  await fails(() => own.authorize({ grant_type: "client_credentials" }), "invalid_grant");
});
await check("a query with a relationship", async () => {
  const found = await sf.query("SELECT Id, Name, Account.Name FROM Contact WHERE Email = 'grace.okafor@okafor-sons.example'");
  equal(found.records[0].Account.Name, "Okafor & Sons", "account");
});
await check("queryMore walks the pages", async () => {
  const all = await sf.query("SELECT Id FROM Contact", { autoFetch: true, maxFetch: 10_000, headers: { "Sforce-Query-Options": "batchSize=200" } });
  equal(all.records.length, all.totalSize, "records");
  equal(all.records.length > 200, true, "more than a page");
});
await check("a malformed query has its code", () => fails(() => sf.query("SELECT FROM Contact"), "MALFORMED_QUERY"));
await check("an unknown field has its code", () => fails(() => sf.query("SELECT Nope FROM Contact"), "INVALID_FIELD"));
await check("a search by phone", async () => {
  const found = await sf.search("FIND {4155550134} IN PHONE FIELDS RETURNING Contact(Id, Name, Phone)");
  equal(found.searchRecords.map((r) => r.Name), ["Tom Reyes"], "found");
});
await check("parameterized search by POST", async () => {
  const body = { q: "4155550134", in: "PHONE", sobjects: [{ name: "Contact", fields: ["Name"], limit: 5 }] };
  const found = await sf.requestPost("/parameterizedSearch", body);
  equal(found.searchRecords.map((r) => r.Name), ["Tom Reyes"], "found");
});
let caseId;
await check("upsert creates, then updates the same record", async () => {
  const first = await sf.sobject("Case").upsert({ Subject: "One", Tieline_Key__c: `js-${run}` }, "Tieline_Key__c");
  equal([first.success, first.created], [true, true], "first");
  const again = await sf.sobject("Case").upsert({ Subject: "Two", Tieline_Key__c: `js-${run}` }, "Tieline_Key__c");
  equal([again.success, again.created, again.id], [true, false, first.id], "again");
  caseId = first.id;
});
await check("a field that is too long has its code", () =>
  fails(() => sf.sobject("Case").create({ Subject: "x".repeat(300) }), "STRING_TOO_LONG"));
await check("collections upsert row by row", async () => {
  const rows = [{ Subject: "r", Tieline_Key__c: `js-${run}-r` }, { Status: "Nonsense", Tieline_Key__c: `js-${run}-s` }];
  const done = await sf.sobject("Case").upsert(rows, "Tieline_Key__c");
  equal(done.map((r) => r.success), [true, false], "rows");
});
await check("composite refers to an earlier result", async () => {
  const base = "/services/data/v66.0/sobjects";
  const done = await sf.requestPost("/composite", { allOrNone: true, compositeRequest: [
    { method: "POST", url: `${base}/Case`, referenceId: "c", body: { Subject: "C" } },
    { method: "POST", url: `${base}/CaseComment`, referenceId: "m", body: { ParentId: "@{c.id}", CommentBody: "hi" } }] });
  equal(done.compositeResponse.map((r) => r.httpStatusCode), [201, 201], "statuses");
});
await check("a file goes up by multipart and is linked", async () => {
  const file = await sf.sobject("ContentVersion").create(
    { Title: "chat", PathOnClient: "chat.txt", FirstPublishLocationId: caseId, VersionData: Buffer.from("Grüße aus Wien") },
    { multipartFileFields: { VersionData: { filename: "chat.txt", contentType: "text/plain" } } });
  equal(file.success, true, "success");
  const links = await sf.query(`SELECT ContentDocument.Title FROM ContentDocumentLink WHERE LinkedEntityId = '${caseId}'`);
  equal(links.records[0].ContentDocument.Title, "chat", "title");
});
await check("update, retrieve, delete", async () => {
  await sf.sobject("Case").update({ Id: caseId, Subject: "Three" });
  equal((await sf.sobject("Case").retrieve(caseId)).Subject, "Three", "subject");
  const gone = await sf.sobject("Case").create({ Subject: "gone" });
  await sf.sobject("Case").destroy(gone.id);
  await fails(() => sf.sobject("Case").retrieve(gone.id), "NOT_FOUND");
});
await check("describe says the key is unique", async () => {
  const described = await sf.sobject("Case").describe();
  const key = described.fields.find((f) => f.name === "Tieline_Key__c");
  equal([key.externalId, key.unique], [true, true], "flags");
});
await check("two records with one key answer 300 when the switch allows it", async () => {
  await admin("PATCH", "switches", { key_unique: false });
  try {
    await sf.sobject("Case").create({ Subject: "twin", Tieline_Key__c: `js-${run}` });
    await fails(() => sf.sobject("Case").upsert({ Subject: "x", Tieline_Key__c: `js-${run}` }, "Tieline_Key__c"), "MULTIPLE_CHOICES");
  } finally {
    await admin("PATCH", "switches", { key_unique: true });
  }
});
await check("a dead token is refreshed once and the request repeated", async () => {
  let refreshed = 0;
  const again = new jsforce.Connection({ version: "66.0", instanceUrl: sf.instanceUrl, accessToken: sf.accessToken,
    refreshFn: (conn, callback) => {
      refreshed += 1;
      const other = connection(LOGIN);
      other.authorize({ grant_type: GRANT, assertion: assertion() }).then(() => callback(null, other.accessToken), callback);
    } });
  await admin("POST", "tokens/kill");
  equal((await again.query("SELECT COUNT() FROM Lead")).totalSize > 0, true, "leads");
  equal(refreshed, 1, "refreshes");
});
await check("the limits header is understood", async () => {
  await sf.authorize({ grant_type: GRANT, assertion: assertion() });
  await sf.query("SELECT COUNT() FROM Account");
  equal(sf.limitInfo.apiUsage.limit, 15_000, "limit");
});

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
