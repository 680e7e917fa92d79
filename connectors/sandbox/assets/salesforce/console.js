// The console page: workspace tabs with records, lists and searches, and a docked softphone that embeds the panel
// from another site. What the panel asks for by Open CTI arrives as messages; see opencti.js.

const $ = (id) => document.getElementById(id);
const state = { tabs: [], active: null, revision: -1, clickToDial: false, start: null, calls: [] };
window.consoleCalls = state.calls;

/** Builds an element; texts stay texts. */
function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}

async function get(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

// ---- values ---------------------------------------------------------------------------------------------------------

const LABELS = {
  "Account.Name": "Account", "Contact.Name": "Contact", "Owner.Name": "Owner", "Who.Name": "Name",
  "Contact.Phone": "Contact phone", "CreatedBy.Name": "Created by", Name: "Name", CaseNumber: "Case number",
};
const HIDDEN = new Set(["Id", "AccountId", "ContactId", "OwnerId", "WhoId", "WhatId", "IsClosed", "FirstName", "LastName", "Salutation"]);
const PLURAL = { Case: "Cases", Contact: "Contacts", Account: "Accounts", Lead: "Leads" };
const LINKS = { "Account.Name": "AccountId", "Contact.Name": "ContactId", "Who.Name": "WhoId" };

const reach = (record, path) => path.split(".").reduce((at, part) => at?.[part] ?? null, record);
const label = (path, fields = {}) => LABELS[path] ?? fields[path]?.label ?? path.replace(/__c$/, "").replace(/_/g, " ").replace(/([a-z])([A-Z])/g, "$1 $2");
const title = (object, record) =>
  object === "Case" ? record.CaseNumber : record.Name ?? record.Subject ?? record.Id;

function time(text) {
  const at = new Date(text.replace(/\+0000$/, "Z"));
  return at.toLocaleString("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
}

const TONES = { New: "open", Working: "open", Escalated: "bad", "On Hold": "warn", Closed: "good", High: "bad", Completed: "good" };
const pill = (text) => el("span", { class: "pill", "data-tone": TONES[text] }, text);

const HANDSET = "M4.400 1l2 3.600-1.500 1.300c.9 1.900 2.300 3.300 4.200 4.200l1.300-1.500L14 10.600c.3 2-.9 3.400-2.600 3.400C6.200 14 2 9.800 2 4.600 2 2.900 2.900 1.300 4.400 1z";

function phone(number, record, object) {
  if (!state.clickToDial) return el("span", {}, number);
  return el("button", { class: "tel", type: "button", "data-dial": number, title: `Call ${number}`, onclick: () => dial(number, record, object) }, icon(HANDSET, 12), number);
}

function value(path, content, type, record, object) {
  if (content === null || content === "") return el("span", { class: "none" }, "—");
  if (path === "Status" || path === "Priority") return pill(content);
  if (type === "phone" || /phone/i.test(path)) return phone(content, record, object);
  if (type === "datetime" || /Date$/.test(path)) return time(content);
  if (LINKS[path] && record[LINKS[path]]) return link(record[LINKS[path]], content);
  if (typeof content === "boolean") return content ? "Yes" : "No";
  return String(content);
}

function link(id, text) {
  const object = objectOf(id);
  return el("a", { href: `/lightning/r/${object}/${id}/view`, onclick: (e) => { e.preventDefault(); openRecord(id); } }, text);
}

const objectOf = (id) => state.start.prefixes[id.slice(0, 3)] ?? "Record";

const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  Contact: "M8 8.200a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2.500 14c0-3 2.400-4.500 5.500-4.500s5.500 1.500 5.500 4.500z",
  Account: "M3 14V2.500h7V6h3v8H9v-3H7v3zM5 4.500v1.400h1.400V4.500zm0 3v1.400h1.400V7.500zm2.600-3v1.400H9V4.500zm0 3v1.400H9V7.500z",
  Case: "M6 2h4a1 1 0 0 1 1 1v1.500h2A1.500 1.500 0 0 1 14.500 6v6.500A1.500 1.500 0 0 1 13 14H3a1.500 1.500 0 0 1-1.500-1.500V6A1.500 1.500 0 0 1 3 4.500h2V3a1 1 0 0 1 1-1zm.6 1.500v1h2.800v-1z",
  Lead: "M8 1.500l2 4.300 4.600.6-3.400 3.200.9 4.700L8 12l-4.100 2.300.9-4.700L1.400 6.400 6 5.800z",
  Task: "M6.300 12.600L2 8.300l1.700-1.700 2.600 2.600 6-6L14 4.900z",
  Search: "M7 2a5 5 0 1 1-3.100 8.900A5 5 0 0 1 7 2zm0 1.900a3.100 3.100 0 1 0 0 6.200 3.100 3.100 0 0 0 0-6.200zM10.200 11.500l1.300-1.300 3 3-1.300 1.300z",
  List: "M2 3h12v2H2zm0 4h12v2H2zm0 4h12v2H2z",
};

function icon(d, size) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ viewBox: "0 0 16 16", width: size, height: size, fill: "currentColor" })) svg.setAttribute(name, value);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", d);
  svg.append(path);
  return svg;
}

const mark = (object, big) =>
  el("span", { class: `mark${big ? " big" : ""}`, "data-object": object, "aria-hidden": "true" }, icon(ICONS[object] ?? ICONS.List, big ? 24 : 13));

// ---- tabs -----------------------------------------------------------------------------------------------------------

function openTab(tab) {
  const there = state.tabs.find((t) => t.key === tab.key);
  if (there) Object.assign(there, { ...tab, title: there.title });
  else state.tabs.push(tab);
  return focus(tab.key);
}

async function focus(key) {
  state.active = key;
  const tab = state.tabs.find((t) => t.key === key);
  drawTabs();
  if (!tab) return drawHome();
  history.replaceState(null, "", tab.path);
  await draw(tab, true);
  tell("navigation", info());
}

function closeTab(key) {
  const at = state.tabs.findIndex((t) => t.key === key);
  state.tabs.splice(at, 1);
  const next = state.tabs[Math.min(at, state.tabs.length - 1)];
  if (state.active === key) focus(next?.key ?? null);
  else drawTabs();
}

function drawTabs() {
  $("tabs").replaceChildren(...state.tabs.map((tab) =>
    el("div", { class: "tab", role: "tab", tabindex: "0", "aria-selected": String(tab.key === state.active), "data-record": tab.id, title: tab.title,
      onclick: () => focus(tab.key), onkeydown: (e) => { if (e.key === "Enter") focus(tab.key); } },
      mark(tab.object ?? "List"), el("span", { class: "name" }, tab.title),
      el("button", { type: "button", "aria-label": `Close ${tab.title}`, onclick: (e) => { e.stopPropagation(); closeTab(tab.key); } }, "×"))));
}

const openRecord = (id) => openTab({ key: id, id, kind: "record", object: objectOf(id), title: "Loading…", path: `/lightning/r/${objectOf(id)}/${id}/view` });
const openList = (object) => openTab({ key: `list:${object}`, kind: "list", object, title: PLURAL[object] ?? object, path: `/lightning/o/${object}/list` });
const openSearch = (q) => openTab({ key: "search", kind: "search", object: "Search", q, title: `Search: ${q}`, path: "/lightning/page/search" })
  .then(() => { const tab = state.tabs.find((t) => t.key === "search"); tab.q = q; tab.title = `Search: ${q}`; drawTabs(); return draw(tab, true); });

async function draw(tab, fresh) {
  const data = await (tab.kind === "record" ? get(`/lightning/data/record/${tab.id}`)
    : tab.kind === "list" ? get(`/lightning/data/list/${tab.object}`)
      : get(`/lightning/data/search?q=${encodeURIComponent(tab.q)}`)).catch(() => null);
  if (state.active !== tab.key) return;
  const now = JSON.stringify([data, state.clickToDial]);
  if (!fresh && now === tab.seen) return;
  tab.seen = now;
  if (data === null) {
    $("main").replaceChildren(el("section", { class: "card" }, el("div", { class: "empty" }, "This record does not exist or was deleted.")));
    tab.title = "Not found";
    return drawTabs();
  }
  tab.data = data;
  const pages = { record: recordPage, list: listPage, search: searchPage };
  const scroll = fresh ? 0 : $("main").scrollTop;
  const open = new Set([...document.querySelectorAll("details[open]")].map((d) => d.dataset.file));
  $("main").replaceChildren(...pages[tab.kind](tab, data));
  $("main").scrollTop = scroll;
  for (const d of document.querySelectorAll("details[data-file]")) if (open.has(d.dataset.file)) d.open = true;
  if (tab.kind === "record") {
    tab.title = title(tab.object, data.record);
    drawTabs();
  }
  document.title = `${tab.title} · Service console`;
}

function drawHome() {
  history.replaceState(null, "", "/lightning/page/home");
  $("main").replaceChildren(el("section", { class: "card" }, el("h2", {}, "Home"), el("div", { class: "empty" }, "Choose a list, search, or wait for the next chat or call.")));
}

// ---- pages ----------------------------------------------------------------------------------------------------------

const FACTS = {
  Contact: ["Title", "Account.Name", "Phone", "MobilePhone", "Email"], Account: ["Industry", "Phone", "BillingCity"],
  Case: ["Status", "Priority", "Contact.Name", "Account.Name", "Origin"], Lead: ["Company", "Status", "Phone", "Email"],
  Task: ["Status", "CallType", "Who.Name"],
};

function recordPage(tab, { object, record, fields, layout, related }) {
  const heading = object === "Case" ? record.Subject ?? "(no subject)" : title(object, record);
  const facts = (FACTS[object] ?? []).map((path) =>
    el("div", {}, el("dt", {}, label(path, fields)), el("dd", {}, value(path, reach(record, path), fields[path]?.type, record, object))));
  const details = layout.filter((p) => !HIDDEN.has(p)).map((path) => {
    const long = fields[path]?.type === "textarea";
    return el("div", { class: long ? "wide" : null, "data-field": path }, el("dt", {}, label(path, fields)),
      el("dd", { class: long ? "text" : null }, value(path, reach(record, path), fields[path]?.type, record, object)));
  });
  const head = el("section", { class: "card head", "data-record": record.Id, "data-object": object },
    el("div", { class: "line" }, mark(object, true),
      el("div", {}, el("div", { class: "kind" }, object === "Case" ? `Case ${record.CaseNumber}` : object), el("h1", {}, heading)),
      el("div", { class: "actions" },
        object === "Contact" ? el("button", { class: "btn", type: "button", onclick: () => form("Case", { ContactId: record.Id }) }, "New case") : null,
        el("button", { class: "btn", type: "button", onclick: () => form(object, record, record.Id, fields) }, "Edit"))),
    el("dl", { class: "facts" }, facts));
  const left = el("section", { class: "card" }, el("h2", {}, "Details"), el("dl", { class: "fields" }, details));
  const right = el("div", { class: "stack" }, related.map(({ name, rows }) => relatedCard(name, rows)));
  return [head, el("div", { class: "cols" }, left, right)];
}

function relatedCard(name, rows) {
  const draw = { Cases: caseRow, Contacts: contactRow, Comments: commentRow, Files: fileRow, Activity: taskRow }[name];
  return el("section", { class: "card", "data-related": name }, el("h2", {}, name, el("span", { class: "n" }, `${rows.length}`)),
    rows.length === 0 ? el("div", { class: "empty" }, "Nothing yet.") : el("ul", { class: "rows" }, rows.map((row) => el("li", {}, draw(row)))));
}

const caseRow = (row) => [
  el("div", { class: "r" }, link(row.Id, `${row.CaseNumber} · ${row.Subject ?? "(no subject)"}`), pill(row.Status)),
  el("div", { class: "sub" }, `${time(row.CreatedDate)} · ${row.Priority ?? ""}`)];
const contactRow = (row) => [
  el("div", { class: "r" }, link(row.Id, row.Name), el("span", { class: "sub" }, row.Title ?? "")),
  el("div", { class: "sub" }, row.Phone ? phone(row.Phone, row, "Contact") : "", row.Email ? ` ${row.Email}` : "")];
const commentRow = (row) => [el("div", { class: "body" }, row.CommentBody ?? ""), el("div", { class: "sub" }, `${row.CreatedBy?.Name ?? ""} · ${time(row.CreatedDate)}`)];
const taskRow = (row) => [
  el("div", { class: "r" }, link(row.Id, row.Subject ?? "(no subject)"), pill(row.Status)),
  el("div", { class: "sub" }, `${row.CallType ?? "Task"} · ${time(row.CreatedDate)}`)];

function fileRow(row) {
  const doc = row.ContentDocument ?? {};
  const id = doc.LatestPublishedVersionId;
  const name = `${doc.Title ?? "File"}${doc.FileExtension ? `.${doc.FileExtension}` : ""}`;
  const pre = el("pre", {});
  const isText = /^(txt|md|csv|json|log|html?)$/i.test(doc.FileExtension ?? "txt");
  const open = async (e) => {
    if (!e.target.open || pre.dataset.of === id) return;
    pre.dataset.of = id;
    pre.textContent = isText ? await (await fetch(`/lightning/data/file/${id}`)).text() : "No preview.";
  };
  return [el("details", { class: "file", "data-file": id, ontoggle: open },
    el("summary", {}, name, " ", el("span", { class: "sub" }, `${doc.ContentSize ?? 0} bytes`)), pre)];
}

const COLUMNS = {
  Case: ["CaseNumber", "Subject", "Contact.Name", "Status", "Priority", "Owner.Name", "CreatedDate"],
  Contact: ["Name", "Account.Name", "Title", "Phone", "Email"],
  Account: ["Name", "Industry", "Phone", "BillingCity", "BillingCountry"],
  Lead: ["Name", "Company", "Status", "Phone", "Email"],
};

function table(object, rows) {
  const columns = (COLUMNS[object] ?? ["Name"]).filter((c) => rows.some((r) => reach(r, c) !== null));
  return el("table", {}, el("thead", {}, el("tr", {}, columns.map((c) => el("th", { scope: "col" }, label(c))))),
    el("tbody", {}, rows.map((row) => el("tr", {}, columns.map((c, i) =>
      el("td", {}, i === 0 ? link(row.Id, reach(row, c) ?? row.Id) : value(c, reach(row, c), null, row, object)))))));
}

function listPage(tab, { object, rows }) {
  return [el("section", { class: "card" }, el("h2", {}, object === "Case" ? "Open cases" : `All ${PLURAL[object].toLowerCase()}`, el("span", { class: "n" }, `${rows.length}`)), table(object, rows))];
}

function searchPage(tab, { q, rows }) {
  const groups = Object.groupBy ? Object.groupBy(rows, (r) => r.attributes.type) : rows.reduce((all, r) => ({ ...all, [r.attributes.type]: [...(all[r.attributes.type] ?? []), r] }), {});
  const cards = Object.entries(groups).map(([object, list]) =>
    el("section", { class: "card" }, el("h2", {}, mark(object), PLURAL[object] ?? object, el("span", { class: "n" }, `${list.length}`)), table(object, list)));
  const none = el("section", { class: "card" }, el("div", { class: "empty" }, `Nothing found for “${q}”.`));
  return [el("div", { class: "stack", "data-search": q }, cards.length > 0 ? cards : none)];
}

// ---- forms ----------------------------------------------------------------------------------------------------------

const FORMS = {
  Contact: ["FirstName", "LastName", "Title", "Email", "Phone", "MobilePhone", "Description"],
  Lead: ["FirstName", "LastName", "Company", "Email", "Phone", "Description"],
  Account: ["Name", "Phone", "Website", "BillingCity", "Description"],
  Case: ["Subject", "Status", "Priority", "Origin", "Description"],
  Task: ["Subject", "Status", "CallDisposition", "Description"],
};
const CHOICES = {
  Status: ["New", "Working", "Escalated", "On Hold", "Closed"], Priority: ["High", "Medium", "Low"],
  Origin: ["", "Phone", "Email", "Web", "Chat"],
};

/** A modal for a new record, or for changing one. */
function form(object, values = {}, id = null, fields = {}) {
  const names = FORMS[object] ?? ["Name"];
  const extra = Object.keys(values).filter((n) => id === null && !names.includes(n) && typeof values[n] === "string");
  const inputs = new Map();
  const control = (name) => {
    const text = values[name] ?? "";
    const choices = object === "Task" && name === "Status" ? ["Not Started", "In Progress", "Completed"] : CHOICES[name];
    const node = /Description/.test(name) ? el("textarea", { rows: "4", name })
      : choices && object !== "Lead" ? el("select", { name }, [...new Set([text, ...choices])].map((c) => el("option", { value: c }, c || "—")))
        : el("input", { name, autocomplete: "off" });
    node.value = text;
    inputs.set(name, node);
    return el("label", { class: /Description|Subject/.test(name) ? "wide" : null }, label(name, fields), node);
  };
  const error = el("span", { class: "error", role: "alert" });
  const close = () => $("modal").replaceChildren();
  const save = async () => {
    const changed = {};
    for (const [name, node] of inputs) if (node.value !== (id === null ? "" : values[name] ?? "")) changed[name] = node.value === "" ? null : node.value;
    for (const name of extra) changed[name] = values[name];
    const answer = await fetch("/lightning/data/save", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ id, object, fields: changed }) });
    const said = await answer.json();
    if (!answer.ok) { error.textContent = said[0]?.message ?? "It could not be saved."; return; }
    close();
    openRecord(said.id);
  };
  const box = el("form", { class: "modal", role: "dialog", "aria-modal": "true", "aria-label": id ? `Edit ${object}` : `New ${object}`, "data-new": id ? null : object,
    onsubmit: (e) => { e.preventDefault(); save(); }, onkeydown: (e) => { if (e.key === "Escape") close(); } },
    el("h2", {}, id ? `Edit ${title(object, values)}` : `New ${object.toLowerCase()}`), el("div", { class: "form" }, names.map(control)),
    el("div", { class: "foot" }, error, el("button", { class: "btn", type: "button", onclick: close }, "Cancel"), el("button", { class: "btn main", type: "submit" }, "Save")));
  $("modal").replaceChildren(box);
  box.querySelector("input, select, textarea")?.focus();
}

// ---- Open CTI -------------------------------------------------------------------------------------------------------

let frame = null;
let panelOrigin = null;

function embed(url) {
  if (!url) {
    frame = null;
    $("dock-body").replaceChildren(el("div", { class: "empty" }, "No call center is assigned to you."));
    return;
  }
  const address = new URL(url);
  panelOrigin = address.origin;
  // What the real page appends, and what its script cannot do without.
  address.searchParams.set("sfdcIframeOrigin", location.origin);
  address.searchParams.set("mode", "Lightning");
  frame = el("iframe", { src: address.href, title: "Softphone", allow: "autoplay; clipboard-write" });
  $("dock-body").replaceChildren(frame);
}

const answerTo = (id, answer) => frame?.contentWindow?.postMessage({ opencti: 1, id, answer }, panelOrigin);
const tell = (event, payload) => frame?.contentWindow?.postMessage({ opencti: 1, event, payload }, panelOrigin);
const done = (returnValue = null) => ({ success: true, returnValue, errors: null });
const failed = (code, description) => ({ success: false, returnValue: null, errors: [{ code, description }] });

function dial(number, record, object) {
  const name = record?.Name ?? record?.CaseNumber ?? "";
  const more = object === "Contact" && record.AccountId ? { accountId: record.AccountId } : object === "Case" && record.ContactId ? { contactId: record.ContactId } : {};
  tell("clickToDial", { number, recordId: record?.Id ?? "", recordName: name, objectType: object, params: "", ...more });
}

/** Where the agent is; on lists only the address is known. */
function info() {
  const tab = state.tabs.find((t) => t.key === state.active);
  if (tab?.kind !== "record" || !tab.data) return { url: location.href };
  const { record, object } = tab.data;
  const more = object === "Contact" && record.AccountId ? { accountId: record.AccountId } : object === "Case" && record.ContactId ? { contactId: record.ContactId } : {};
  return { url: location.href, recordId: record.Id, recordName: title(object, record), objectType: object, ...more };
}

function show(visible) {
  document.body.classList.toggle("docked", visible);
  $("item").setAttribute("aria-expanded", String(visible));
}

async function pop({ type, params, defaultFieldValues }) {
  switch (type) {
    case "sobject": {
      const found = await get(`/lightning/data/record/${encodeURIComponent(params.recordId)}`).catch(() => null);
      if (found === null) return failed("NOT_FOUND", "The record does not exist or you cannot see it.");
      await openRecord(found.id);
      return done();
    }
    case "newRecordModal":
      if (!FORMS[params.entityName]) return failed("INVALID_ARGUMENT", `There is no object ${params.entityName}.`);
      form(params.entityName, { ...params.defaultFieldValues, ...defaultFieldValues });
      return done();
    case "search":
      await openSearch(params.searchString);
      return done();
    case "objecthome":
    case "list":
      await openList(params.scope ?? "Case");
      return done();
    case "url": {
      const found = /^\/lightning\/r\/(?:\w+\/)?(\w{15,18})\/view/.exec(params.url) ?? /^\/(\w{15,18})$/.exec(params.url);
      if (found === null) return failed("INVALID_ARGUMENT", "Only addresses of records are known here.");
      await openRecord(found[1]);
      return done();
    }
    default:
      return failed("UNSUPPORTED", "Flows do not run in this stand-in.");
  }
}

async function searchAndPop({ searchParams, defaultFieldValues, deferred }) {
  const { rows } = await get(`/lightning/data/search?q=${encodeURIComponent(searchParams ?? "")}`);
  const people = rows.filter((r) => ["Contact", "Lead", "Account"].includes(r.attributes.type));
  const target = people.length === 1 ? { type: "sobject", params: { recordId: people[0].Id } }
    : people.length === 0 ? { type: "newRecordModal", params: { entityName: "Contact" }, defaultFieldValues }
      : { type: "search", params: { searchString: searchParams } };
  const found = Object.fromEntries(people.map((r) => [r.Id, { Id: r.Id, Name: r.Name, RecordType: r.attributes.type, Phone: r.Phone }]));
  if (deferred) return done({ ...found, SCREEN_POP_DATA: target });
  const popped = await pop(target);
  return popped.success ? done(found) : popped;
}

async function saveLog({ value: given }) {
  const { entityApiName, Id, ...fields } = given;
  const answer = await fetch("/lightning/data/save", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ id: Id ?? null, object: entityApiName, fields }) });
  const said = await answer.json();
  return answer.ok ? done({ recordId: said.id }) : failed(said[0]?.errorCode, said[0]?.message);
}

const METHODS = {
  enableClickToDial: () => { state.clickToDial = true; redraw(); return done(); },
  disableClickToDial: () => { state.clickToDial = false; redraw(); return done(); },
  screenPop: pop,
  searchAndScreenPop: searchAndPop,
  saveLog,
  getAppViewInfo: () => done(info()),
  refreshView: () => { redraw(); return done(); },
  runApex: () => failed("UNSUPPORTED", "No Apex runs in this stand-in."),
  setSoftphonePanelVisibility: ({ visible }) => { show(visible); return done(); },
  isSoftphonePanelVisible: () => done({ visible: document.body.classList.contains("docked") }),
  setSoftphonePanelHeight: ({ heightPX }) => { document.documentElement.style.setProperty("--dock-h", `${heightPX}px`); return done(); },
  setSoftphonePanelWidth: ({ widthPX }) => { document.documentElement.style.setProperty("--dock-w", `${widthPX}px`); return done(); },
  setSoftphonePanelLabel: ({ label: text }) => { $("dock-label").textContent = text; return done(); },
  setSoftphoneItemLabel: ({ label: text }) => { $("item-label").textContent = text; return done(); },
  setSoftphonePanelIcon: () => done(),
  setSoftphoneItemIcon: () => done(),
  getSoftphoneLayout: () => {
    const layout = { callRelatedFields: ["CallType"], objects: { Contact: [{ displayName: "Name", apiName: "Name" }], Lead: [{ displayName: "Name", apiName: "Name" }] },
      screenPopSettings: { NoMatch: { screenPopType: "PopToEntity", screenPopData: "Contact" }, SingleMatch: { screenPopType: "PopToDetail" }, MultipleMatches: { screenPopType: "PopToSearch" } } };
    return done({ Internal: layout, Inbound: layout, Outbound: layout });
  },
  getCallCenterSettings: () => done({ "/reqGeneralInfo/reqInternalName": "TielineSandbox", "/reqGeneralInfo/reqDisplayName": "Tieline (sandbox)", "/reqGeneralInfo/reqAdapterUrl": state.start.panel ?? "", "/reqGeneralInfo/reqUseApi": "true" }),
  notifyInitializationComplete: () => done(),
};

window.addEventListener("message", async (event) => {
  const data = event.data;
  if (data === null || typeof data !== "object" || data.opencti !== 1) return;
  if (frame === null || event.source !== frame.contentWindow || event.origin !== panelOrigin) {
    console.error(`Blocked a frame with origin "${event.origin}" from using Open CTI.`);
    return;
  }
  const method = Object.hasOwn(METHODS, data.method) ? METHODS[data.method] : null;
  let answer;
  try {
    answer = method === null ? failed("UNKNOWN_METHOD", `There is no method ${data.method}.`) : await method(data.args ?? {});
  } catch (error) {
    answer = failed("INTERNAL", String(error));
  }
  state.calls.push({ method: data.method, args: data.args, success: answer.success });
  if (state.calls.length > 500) state.calls.shift();
  answerTo(data.id, answer);
});

// ---- start ----------------------------------------------------------------------------------------------------------

function redraw() {
  const tab = state.tabs.find((t) => t.key === state.active);
  if (tab) draw(tab, false);
}

/** Other people and the integration write too: the page follows within a second or two. */
async function follow() {
  const now = await get("/lightning/data/revision").catch(() => null);
  if (now !== null) {
    if (now.panel !== state.start.panel) {
      state.start.panel = now.panel;
      // The page's own policy names the panel's origin, so a new panel needs a new page.
      location.reload();
      return;
    }
    if (now.revision !== state.revision) redraw();
    state.revision = now.revision;
  }
  setTimeout(follow, 1_200);
}

async function begin() {
  state.start = await get("/lightning/data/start");
  const name = state.start.user.name ?? "Agent";
  $("who").append(el("span", {}, name), el("span", { class: "face", "aria-hidden": "true" }, name.split(" ").map((w) => w[0]).join("")));
  $("item").addEventListener("click", () => show(!document.body.classList.contains("docked")));
  $("dock-min").addEventListener("click", () => show(false));
  $("object").addEventListener("change", (e) => openList(e.target.value));
  document.querySelector(".search").addEventListener("submit", (e) => {
    e.preventDefault();
    const q = $("search").value.trim();
    if (q.length > 1) openSearch(q);
  });
  show(true);
  const record = /^\/lightning\/r\/(?:\w+\/)?(\w{15,18})\/view/.exec(location.pathname);
  const list = /^\/lightning\/o\/(\w+)\//.exec(location.pathname);
  if (record) await openRecord(record[1]);
  else await openList(list && PLURAL[list[1]] ? list[1] : "Case");
  embed(state.start.panel);
  follow();
}

begin();
