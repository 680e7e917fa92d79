// dynamics-web-api and @azure/msal-node, as they come from their registry, against the Dynamics sandbox.
// Environment: SANDBOX_AUTHORITY_URL, SANDBOX_ORG_URL, SANDBOX_TENANT, SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET,
// SANDBOX_KEY_FILE, SANDBOX_CERTIFICATE_FILE; for https NODE_EXTRA_CA_CERTS. msal-node speaks to https only.

import { ConfidentialClientApplication } from "@azure/msal-node";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { DynamicsWebApi } from "dynamics-web-api";

const env = (name) => process.env[`SANDBOX_${name}`];
const ORG = env("ORG_URL");
const AUTHORITY = `${env("AUTHORITY_URL")}/${env("TENANT")}`;
const SCOPE = `${ORG}/.default`;
const run = Date.now().toString(16).padStart(12, "0").slice(-12);
const guid = (n) => `5d1c7a10-${String(n).padStart(4, "0")}-4000-8000-${run}`;
let passed = 0;
let failed = 0;

async function check(name, work) {
  try {
    await work();
    passed += 1;
    console.log(`ok    ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name}: ${error.status ?? ""} ${error.code ?? ""} ${error.message}`);
  }
}
function equal(value, wanted, what) {
  const [a, b] = [JSON.stringify(value), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what}: ${a} instead of ${b}`);
}
async function fails(work, status, code) {
  try {
    await work();
  } catch (error) {
    return equal([error.status, error.code], [status, code], "error");
  }
  throw new Error(`no error, ${status} ${code} was expected`);
}
const admin = (method, path, body) =>
  fetch(`${ORG}/__sandbox/${path}`, { method, body: body && JSON.stringify(body), headers: { "content-type": "application/json" } });

async function secretToken() {
  const form = { grant_type: "client_credentials", client_id: env("CLIENT_ID"), client_secret: env("CLIENT_SECRET"), scope: SCOPE };
  const answer = await fetch(`${AUTHORITY}/oauth2/v2.0/token`, { method: "POST", body: new URLSearchParams(form) });
  return (await answer.json()).access_token;
}

if (ORG.startsWith("https://")) {
  const app = (auth) => new ConfidentialClientApplication({
    auth: { clientId: env("CLIENT_ID"), authority: AUTHORITY, knownAuthorities: [new URL(AUTHORITY).host], ...auth } });
  await check("msal-node: a secret gives a token, with a query string on the endpoint", async () => {
    const got = await app({ clientSecret: env("CLIENT_SECRET") }).acquireTokenByClientCredential({ scopes: [SCOPE] });
    equal([got.tokenType, got.accessToken.split(".").length], ["Bearer", 3], "token");
  });
  await check("msal-node: a certificate by its SHA-256 thumbprint gives a token", async () => {
    const thumbprintSha256 = new X509Certificate(readFileSync(env("CERTIFICATE_FILE"))).fingerprint256.replaceAll(":", "");
    const clientCertificate = { thumbprintSha256, privateKey: readFileSync(env("KEY_FILE"), "utf8") };
    const got = await app({ clientCertificate }).acquireTokenByClientCredential({ scopes: [SCOPE] });
    equal(got.tokenType, "Bearer", "type");
  });
  await check("msal-node: a wrong secret is AADSTS7000215", async () => {
    const refused = await app({ clientSecret: "wrong" }).acquireTokenByClientCredential({ scopes: [SCOPE] }).then(() => null, (e) => e);
    equal([refused?.errorCode, /AADSTS7000215/.test(refused?.errorMessage)], ["invalid_client", true], "refusal");
  });
}

const token = await secretToken();
const api = new DynamicsWebApi({ serverUrl: ORG, dataApi: { version: "9.2" }, searchApi: { version: "2.0" }, onTokenRefresh: async () => token });
let grace;
const about = () => ({ "customerid_contact@odata.bind": `/contacts(${grace})` });

await check("retrieveMultiple with filter, select and top", async () => {
  const found = await api.retrieveMultiple({ collection: "contacts", select: ["contactid", "fullname"], filter: "mobilephone eq '+447700900412'", top: 3 });
  equal(found.value.map((r) => r.fullname), ["Grace Okafor"], "names");
  grace = found.value[0].contactid;
});
await check("pages by maxPageSize and nextLink", async () => {
  const all = await api.retrieveAll({ collection: "contacts", select: ["fullname"], maxPageSize: 50 });
  equal(all.value.length >= 246, true, "rows");
});
await check("create gives the id, a second one is 412", async () => {
  equal(await api.create({ collection: "incidents", data: { incidentid: guid(1), title: "Grüße", ...about() } }), guid(1), "id");
  await fails(() => api.create({ collection: "incidents", data: { incidentid: guid(1), title: "T", ...about() } }), 412, "0x80040237");
});
await check("create with the representation gives the case's number", async () => {
  const made = await api.create({ collection: "incidents", data: { incidentid: guid(2), title: "T", ...about() }, returnRepresentation: true, select: ["incidentid", "ticketnumber"] });
  equal([made.incidentid, /^CAS-/.test(made.ticketnumber)], [guid(2), true], "row");
});
await check("upsert that may only create, or only update", async () => {
  const ask = (n, more) => api.upsert({ collection: "incidents", key: guid(n), data: { title: "U", ...about() }, ...more });
  equal(await ask(3, { ifmatch: "*" }), null, "update of nothing");
  await ask(3, { ifnonematch: "*" });
  equal(await ask(3, { ifnonematch: "*" }), null, "create again");
});
await check("upsert by alternate key, then the same row", async () => {
  const key = `abc_interactionid='${run}'`;
  await api.upsert({ collection: "incidents", key, data: { title: "A", ...about() } });
  await api.upsert({ collection: "incidents", key, data: { title: "B", ...about() } });
  const found = await api.retrieveMultiple({ collection: "incidents", select: ["title"], filter: `abc_interactionid eq '${run.toUpperCase()}'` });
  equal(found.value.map((r) => r.title), ["B"], "titles");
  await fails(() => api.create({ collection: "incidents", data: { title: "C", abc_interactionid: run.toUpperCase(), ...about() } }), 412, "0x80060892");
});
await check("update of a row, and none of a row that is not there", async () => {
  await api.update({ collection: "incidents", key: guid(1), data: { title: "Changed" } });
  equal((await api.retrieve({ collection: "incidents", key: guid(1), select: ["title"] })).title, "Changed", "title");
  await fails(() => api.update({ collection: "incidents", key: guid(9), data: { title: "x" } }), 404, "0x80040217");
});
await check("a title that is too long has its code", () =>
  fails(() => api.create({ collection: "incidents", data: { title: "x".repeat(201), ...about() } }), 400, "0x80044331"));
await check("CloseIncident resolves once", async () => {
  const action = { IncidentResolution: { subject: "Done", "incidentid@odata.bind": `/incidents(${guid(2)})` }, Status: -1 };
  await api.callAction({ actionName: "CloseIncident", action });
  equal((await api.retrieve({ collection: "incidents", key: guid(2), select: ["statecode"] })).statecode, 1, "state");
  await fails(() => api.callAction({ actionName: "CloseIncident", action }), 400, "0x80040203");
});
await check("WhoAmI", async () => {
  equal(Object.keys(await api.callFunction("WhoAmI")).filter((k) => /Id$/.test(k)).sort(), ["BusinessUnitId", "OrganizationId", "UserId"], "ids");
});
await check("search answers JSON in a text", async () => {
  const found = await api.query({ query: { search: "Weißenfels", entities: [{ name: "contact", selectColumns: ["fullname"] }], count: true } });
  const { response } = found;
  equal([response.value?.[0]?.entityname ?? response.Value?.[0]?.EntityName, response.count ?? response.Count], ["contact", 1], "hits");
});
await check("a change set binds what it has just made", async () => {
  api.startBatch();
  api.create({ collection: "incidents", data: { incidentid: guid(5), title: "Batch", ...about() }, contentId: "1" });
  api.create({ collection: "annotations", data: { subject: "Note", notetext: "<b>x</b>", "objectid_incident@odata.bind": "$1" }, contentId: "2" });
  const done = await api.executeBatch();
  equal([done.length, done[0]], [2, guid(5)], "ids");
  const notes = await api.retrieveMultiple({ collection: "annotations", select: ["subject"], filter: `_objectid_value eq ${guid(5)}` });
  equal(notes.value.map((n) => n.subject), ["Note"], "notes");
});
await check("a change set that fails takes all back", async () => {
  api.startBatch();
  api.create({ collection: "incidents", data: { incidentid: guid(6), title: "Gone", ...about() }, contentId: "1" });
  api.create({ collection: "incidents", data: { title: "No customer" }, contentId: "2" });
  const refused = await api.executeBatch().then(() => null, (e) => e);
  equal(refused === null, false, "refused");
  await fails(() => api.retrieve({ collection: "incidents", key: guid(6), select: ["title"] }), 404, "0x80040217");
});
await check("a phone call with its parties", async () => {
  const me = await api.callFunction("WhoAmI");
  const call = { activityid: guid(7), subject: "Call", directioncode: false, "regardingobjectid_incident_phonecall@odata.bind": `/incidents(${guid(1)})`,
    phonecall_activity_parties: [{ participationtypemask: 1, "partyid_contact@odata.bind": `/contacts(${grace})` }, { participationtypemask: 2, "partyid_systemuser@odata.bind": `/systemusers(${me.UserId})` }] };
  await api.create({ collection: "phonecalls", data: call });
  await api.update({ collection: "phonecalls", key: guid(7), data: { statecode: 1, statuscode: 4 } });
  const got = await api.retrieve({ collection: "phonecalls", key: guid(7), select: ["statecode"], expand: [{ property: "phonecall_activity_parties", select: ["participationtypemask"] }] });
  equal([got.statecode, got.phonecall_activity_parties.length], [1, 2], "call");
});
await check("a throttle is told with its code", async () => {
  await admin("POST", "faults", { fault: "throttled", limit: "requests", retry_after_s: 1 });
  await fails(() => api.retrieveMultiple({ collection: "contacts", top: 1 }), 429, "0x80072322");
});
await check("a delete, and then nothing is there", async () => {
  equal(await api.deleteRecord({ collection: "incidents", key: guid(5) }) !== false, true, "deleted");
  await fails(() => api.retrieve({ collection: "incidents", key: guid(5), select: ["title"] }), 404, "0x80040217");
});

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
