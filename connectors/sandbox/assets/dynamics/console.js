// The console page: lists, records, new records and searches of the environment, and the panel of a channel provider
// beside them. `?cif=2` makes it a page with sessions and tabs, as the second version of the framework wants it.

import { framework } from "/console/assets/cif.js";

const $ = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const state = {
  version: query.get("cif") === "2" ? 2 : 1, mode: 1, width: 360, tables: {}, user: {}, org: "", revision: -1, panel: undefined,
  sessions: [], focus: "home", clickToAct: false, told: { mode: false },
  settings: { autoAccept: false, displaySeconds: 30, queueSeconds: 60, shownMax: 3, queueMax: 5 },
};
let serial = 0;

/** Builds an element; texts stay texts. */
function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(2).filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}

// ---- rows -----------------------------------------------------------------------------------------------------------

async function fetched(path, init = {}) {
  const answer = await fetch(`/console/api/${path}`, { ...init, headers: { "x-console": "1", "content-type": "application/json", ...init.headers } });
  const text = await answer.text();
  const body = text ? JSON.parse(text) : null;
  if (!answer.ok) throw new Error(body?.error?.message ?? `HTTP ${answer.status}`);
  return body;
}

/** Options are as they stand in an address; what is not encoded yet is. */
const search = (options) => {
  const encoded = (value) => /%[0-9a-f]{2}/i.test(value) ? value.replace(/\+/g, "%2B").replace(/ /g, "%20") : encodeURIComponent(value);
  const all = [...options].map(([name, value]) => `${name}=${encoded(value)}`);
  return all.length ? `?${all.join("&")}` : "";
};

const api = {
  get: (path, options = new Map()) => fetched(path + search(options)),
  list: async (set, options) => (await fetched(set + search(options))).value,
  create: (set, body) => fetched(set, { method: "POST", body: JSON.stringify(body), headers: { prefer: "return=representation" } }),
  update: (set, id, body) => fetched(`${set}(${id})`, { method: "PATCH", body: JSON.stringify(body), headers: { "if-match": "*" } }),
  remove: (set, id) => fetched(`${set}(${id})`, { method: "DELETE" }),
  post: (path, body) => fetched(path, { method: "POST", body: JSON.stringify(body) }),
};
const read = (path, options) => api.get(path, new Map(Object.entries(options)));
const list = (set, options) => api.list(set, new Map(Object.entries(options)));

// ---- words and small parts --------------------------------------------------------------------------------------------

const NAMES = { contact: ["Contact", "Contacts"], account: ["Account", "Accounts"], incident: ["Case", "Cases"], phonecall: ["Phone call", "Phone calls"], annotation: ["Note", "Notes"], task: ["Task", "Tasks"] };
const LABELS = {
  title: "Case title", ticketnumber: "Case number", customer: "Customer", caseorigincode: "Origin", casetypecode: "Type", prioritycode: "Priority",
  statuscode: "Status", description: "Description", firstname: "First name", lastname: "Last name", jobtitle: "Job title", emailaddress1: "E-mail",
  telephone1: "Business phone", mobilephone: "Mobile phone", telephone2: "Home phone", address1_city: "City", address1_country: "Country", name: "Account name",
  websiteurl: "Website", subject: "Subject", phonenumber: "Phone number", directioncode: "Direction", actualdurationminutes: "Duration (minutes)",
  ownerid: "Owner", createdon: "Created on", regarding: "Regarding", salutation: "Salutation", parties: "Call from / to", subjectid: "Subject",
};
const FORMS = {
  contact: [["Contact", ["salutation", "firstname", "lastname", "jobtitle", "account", "emailaddress1", "telephone1", "mobilephone", "telephone2"]], ["Address", ["address1_city", "address1_country", "description"]]],
  account: [["Account", ["name", "telephone1", "emailaddress1", "websiteurl", "address1_city", "address1_country", "description"]]],
  incident: [["Case", ["title", "ticketnumber", "customer", "caseorigincode", "casetypecode", "prioritycode", "statuscode", "description"]]],
  phonecall: [["Phone call", ["subject", "parties", "phonenumber", "directioncode", "actualdurationminutes", "regarding", "description"]]],
  task: [["Task", ["subject", "regarding", "description"]]],
};
const REQUIRED = new Set(["title", "customer", "lastname", "name", "subject"]);
const PHONES = new Set(["telephone1", "telephone2", "mobilephone", "phonenumber"]);
const LISTS = {
  incident: ["title,ticketnumber,_customerid_value,statuscode,prioritycode,createdon", "createdon desc", "statecode eq 0", ["title", "_customerid_value", "statuscode", "prioritycode", "createdon", "ticketnumber"]],
  contact: ["fullname,_parentcustomerid_value,jobtitle,telephone1,mobilephone,emailaddress1", "fullname", "statecode eq 0", ["fullname", "_parentcustomerid_value", "telephone1", "mobilephone", "emailaddress1", "jobtitle"]],
  account: ["name,telephone1,address1_city,address1_country,websiteurl", "name", "statecode eq 0", ["name", "telephone1", "address1_city", "address1_country", "websiteurl"]],
  phonecall: ["subject,phonenumber,directioncode,statuscode,_regardingobjectid_value,createdon", "createdon desc", null, ["subject", "phonenumber", "directioncode", "statuscode", "_regardingobjectid_value", "createdon"]],
};
const HEADS = { _customerid_value: "Customer", _parentcustomerid_value: "Account", _regardingobjectid_value: "Regarding", fullname: "Full name" };
const TONES = { "In Progress": "open", "On Hold": "warn", "Waiting for Details": "warn", Researching: "open", "Problem Solved": "good", "Information Provided": "good", Cancelled: "bad", Merged: "bad", Received: "good", Made: "good", Open: "open", Active: "good", Inactive: "bad" };

const formatted = (row, name) => row[`${name}@OData.Community.Display.V1.FormattedValue`];
const tableOf = (row, name) => row[`${name}@Microsoft.Dynamics.CRM.lookuplogicalname`];
const pill = (text) => el("span", { class: "pill", "data-tone": TONES[text] }, text);
const initials = (text) => (text ?? "?").split(/\s+/).filter(Boolean).slice(0, 2).map((w) => w[0].toUpperCase()).join("") || "?";
const letter = (table) => ({ incident: "C", phonecall: "P", annotation: "N", contact: "C", account: "A", task: "T" })[table] ?? "•";
const mark = (table, text) => el("span", { class: "mark", "data-table": table, "aria-hidden": "true" }, text ? initials(text) : letter(table));
const when = (text) => text ? new Date(text).toLocaleString("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" }) : "";
const shown = (row, name) => name === "createdon" ? when(row[name]) : name === "directioncode" ? (row[name] ? "Outgoing" : "Incoming") : formatted(row, name) ?? row[name] ?? "";
const link = (table, id, text) => el("a", { href: address({ kind: "record", table, id }), onclick: (e) => { e.preventDefault(); ui.open({ kind: "record", table, id }); } }, text);
const textOf = (html) => new DOMParser().parseFromString((html ?? "").replace(/<br\s*\/?>|<\/(p|div|li)>/gi, "\n"), "text/html").body.textContent.trim();
const decoded = (base64) => new TextDecoder().decode(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)));

// ---- where we are -----------------------------------------------------------------------------------------------------

function address(view) {
  const at = new URLSearchParams({ appid: "5c1f6b02-7a3e-4d11-9e0a-2f4b8d6c9a10" });
  if (state.version === 2) at.set("cif", "2");
  const to = {
    record: () => ({ pagetype: "entityrecord", etn: view.table, id: view.id }), new: () => ({ pagetype: "entityrecord", etn: view.table }),
    list: () => ({ pagetype: "entitylist", etn: view.table }), search: () => ({ pagetype: "search", searchText: view.text }), page: () => ({ pagetype: "custom", name: view.name }),
  };
  for (const [name, value] of Object.entries(to[view.kind]())) at.set(name, value);
  return `/main.aspx?${at}`;
}

function viewOf(params) {
  const [type, table, id] = [params.get("pagetype"), params.get("etn"), params.get("id")];
  if (type === "entityrecord" && table) return id ? { kind: "record", table, id: id.replace(/[{}]/g, "").toLowerCase() } : { kind: "new", table, values: {} };
  if (type === "search") return { kind: "search", text: params.get("searchText") ?? "" };
  return { kind: "list", table: LISTS[table] ? table : "incident" };
}

const session = () => state.sessions.find((one) => one.id === state.focus) ?? state.sessions[0];
const active = () => session().tabs.find((one) => one.id === session().active);
const tabFor = (view) => ({ id: `tab-${++serial}`, view, title: null });

const ui = {
  focused: session,
  /** Shows a view: in place in the first version, in a tab of its own in the second. */
  open(view) {
    const same = session().tabs.find((one) => one.view.kind === "record" && one.view.table === view.table && one.view.id === view.id && view.kind === "record");
    if (same) session().active = same.id;
    else if (state.version === 2 && (view.kind === "record" || view.kind === "new")) {
      const tab = tabFor(view);
      session().tabs.push(tab);
      session().active = tab.id;
    } else Object.assign(active(), { view, title: null });
    draw({ moved: true });
  },
  createSession(title, record, context) {
    const tab = tabFor(record ? { kind: "record", ...record } : { kind: "list", table: "incident" });
    tab.fixed = true;
    const made = { id: `session-id-${++serial}`, title, named: title !== null, tabs: [tab], active: tab.id, context, conversationId: crypto.randomUUID() };
    state.sessions.push(made);
    focusSession(made.id);
    return made.id;
  },
  titleSession(one, title) { Object.assign(one, { title, named: true }); drawSide(); },
  callAttention(one) { one.attention = one.id !== state.focus; drawSide(); },
  createTab(view, focused) {
    const same = view.kind === "record" ? session().tabs.find((one) => one.view.kind === "record" && one.view.id === view.id) : null;
    const tab = same ?? tabFor(view);
    if (!same) session().tabs.push(tab);
    if (focused) session().active = tab.id;
    draw({ moved: focused });
    return tab.id;
  },
  focusTab(tab) { session().active = tab.id; draw({ moved: true }); },
  titleTab(tab, title) { Object.assign(tab, { title, named: true }); drawTabs(); },
  closeTab(tab) {
    const one = session();
    one.tabs = one.tabs.filter((t) => t !== tab);
    if (one.active === tab.id) one.active = one.tabs.at(-1).id;
    draw({ moved: true });
  },
  refresh: () => draw({}),
  setMode(mode) {
    if (mode === state.mode) return;
    state.mode = mode;
    layout();
    // The first change after a load is not told.
    if (state.told.mode) cif.tell("onmodechanged", JSON.stringify({ value: mode }));
    state.told.mode = true;
  },
  setWidth(px) {
    state.width = Math.round(px);
    layout();
    cif.tell("onsizechanged", JSON.stringify({ value: state.width }));
  },
  setClickToAct(on) { state.clickToAct = on; draw({}); },
  environment() {
    const view = active().view;
    return {
      appUrl: `${location.origin}/main.aspx?appid=5c1f6b02-7a3e-4d11-9e0a-2f4b8d6c9a10`, appid: "5c1f6b02-7a3e-4d11-9e0a-2f4b8d6c9a10", cifVersion: state.version === 2 ? "2.0" : "1.0",
      clientUrl: location.origin, crmVersion: "9.2.26113.00148", customParams: "", etn: view.table ?? null, id: view.id ?? null, isDirty: false, orgId: state.org, orgLcid: 1033,
      orgUniqueName: "tielinesandbox", pagetype: view.kind === "record" ? "entityrecord" : "entitylist", userId: `{${state.user.id.toUpperCase()}}`, userLcid: 1033, username: state.user.name,
    };
  },
  quickCreate: (table, values) => new Promise((resolve, reject) => quickForm(table, values, resolve, reject)),
  notify: (template, given, token) => notify(template, given, token),
  cancel(token) { toasts.filter((t) => t.token === token).forEach((t) => t.end({ actionName: "Timeout", responseReason: "DisplayTimeout" })); },
};
const cif = framework(ui, api, state);

function focusSession(id) {
  const before = state.focus;
  state.focus = id;
  session().attention = false;
  draw({ moved: true });
  if (before !== id) {
    cif.tell("onSessionSwitched", JSON.stringify({ sessionId: before, focused: false }));
    cif.tell("onSessionSwitched", JSON.stringify({ sessionId: id, focused: true }));
  }
}

function closeSession(one) {
  state.sessions = state.sessions.filter((s) => s !== one);
  cif.tell("onSessionClosed", JSON.stringify({ sessionId: one.id, context: one.context }));
  if (state.focus === one.id) focusSession("home");
  else drawSide();
}

// ---- the frame of the page ----------------------------------------------------------------------------------------------

function layout() {
  document.body.classList.toggle("v2", state.version === 2);
  document.body.dataset.mode = state.mode;
  document.documentElement.style.setProperty("--panel-w", `${state.width}px`);
  if (state.mode === 1) document.body.style.removeProperty("--panel-w");
  const button = $("fold");
  if (button) {
    button.textContent = state.mode === 1 ? "–" : "+";
    button.setAttribute("aria-label", state.mode === 1 ? "Minimise the panel" : "Show the panel");
  }
}

function drawSide() {
  const view = active().view;
  const at = (table) => view.kind === "list" && view.table === table;
  const go = (table) => el("button", { type: "button", "aria-current": at(table) ? "true" : null, onclick: () => ui.open({ kind: "list", table }) }, mark(table), el("span", {}, NAMES[table][1]));
  const rows = [];
  if (state.version === 2) {
    rows.push(el("h2", {}, "Sessions"));
    for (const one of state.sessions) {
      const name = one.home ? "Home" : one.title ?? "New session";
      const open = el("button", { type: "button", "aria-current": one.id === state.focus ? "true" : null, onclick: () => focusSession(one.id) }, mark(one.home ? "home" : "contact", name), el("span", {}, name), one.attention && el("span", { class: "dot", title: "Something new" }));
      rows.push(one.home ? open : el("div", { class: "session" }, open, el("button", { type: "button", class: "close", "aria-label": `Close ${name}`, onclick: () => closeSession(one) }, "×")));
    }
  }
  rows.push(el("h2", {}, "Service"), go("incident"), go("phonecall"), el("h2", {}, "Customers"), go("contact"), go("account"), el("div", { class: "foot" }, "Stand-in environment, invented data"));
  $("side").replaceChildren(...rows);
}

function drawTabs() {
  const one = session();
  const name = (tab) => tab.title ?? (tab.view.kind === "list" ? NAMES[tab.view.table][1] : tab.view.kind === "search" ? "Search" : tab.view.kind === "new" ? `New ${NAMES[tab.view.table]?.[0].toLowerCase() ?? tab.view.table}` : "…");
  $("tabs").replaceChildren(...one.tabs.map((tab, n) => el("div", { class: "tab", role: "tab", "aria-selected": String(tab.id === one.active) },
    mark(tab.view.table ?? "page"), el("button", { type: "button", onclick: () => ui.focusTab(tab) }, name(tab)),
    (n > 0 && !tab.fixed) && el("button", { type: "button", class: "x", "aria-label": `Close ${name(tab)}`, onclick: () => ui.closeTab(tab) }, "×"))));
}

let drawing = 0;
async function draw({ moved }) {
  const turn = ++drawing;
  const tab = active();
  if (moved) {
    history.replaceState(null, "", address(tab.view));
    cif.tell("onpagenavigate", JSON.stringify({ value: location.href }));
  }
  drawSide();
  drawTabs();
  let parts;
  try {
    parts = await VIEWS[tab.view.kind](tab.view, tab);
  } catch (error) {
    parts = [el("div", { class: "generic" }, el("p", {}, error.message))];
  }
  if (turn !== drawing) return;
  const keep = moved ? 0 : $("main").scrollTop;
  $("main").replaceChildren(...parts);
  $("main").scrollTop = keep;
  $("main").dataset.view = tab.view.kind;
  document.title = `${tab.title ?? "Customer service"} – Customer service`;
  drawTabs();
  drawSide();
}

// ---- views --------------------------------------------------------------------------------------------------------------

const VIEWS = { list: listView, record: recordView, new: newView, search: searchView, page: pageView };

function rowsTable(table, rows, columns) {
  const cell = (row, name, n) => {
    const { id, primary } = state.tables[table];
    if (n === 0) return link(table, row[id], row[primary] ?? "(no name)");
    if (name.startsWith("_") && row[name]) return link(tableOf(row, name), row[name], formatted(row, name) ?? row[name]);
    return name === "statuscode" ? pill(shown(row, name)) : shown(row, name);
  };
  return el("table", {}, el("thead", {}, el("tr", {}, columns.map((name) => el("th", {}, HEADS[name] ?? LABELS[name] ?? name)))),
    el("tbody", {}, rows.map((row) => el("tr", {}, columns.map((name, n) => el("td", {}, cell(row, name, n)))))));
}

async function listView({ table }) {
  const [select, order, filter, columns] = LISTS[table];
  const rows = await list(state.tables[table].set, { $select: select, $orderby: order, $top: "100", ...(filter ? { $filter: filter } : {}) });
  const name = table === "phonecall" ? "Phone calls" : `Active ${NAMES[table][1].toLowerCase()}`;
  return [el("div", { class: "commands" }, el("button", { type: "button", class: "first", onclick: () => ui.open({ kind: "new", table, values: {} }) }, "+ New"), el("button", { type: "button", onclick: () => draw({}) }, "Refresh")),
    el("h1", { class: "title" }, name), el("div", { class: "list" }, rows.length ? rowsTable(table, rows, columns) : el("p", { class: "empty" }, "Nothing here yet."))];
}

async function searchView({ text, rows: given, table: only }, tab) {
  tab.title = text ? `Search: ${text}` : "Search";
  const quoted = text.trim().replace(/'/g, "''").replace(/[[%_]/g, "[$&]");
  const digits = text.replace(/\D/g, "");
  const any = (columns) => {
    const all = columns.map((c) => `contains(${c},'${quoted}')`);
    // Numbers are kept as somebody typed them, so digits are sought with anything between them.
    if (digits.length >= 5) all.push(...columns.filter((c) => /phone/.test(c)).map((c) => `contains(${c},'${digits.slice(-9).split("").join("%")}')`));
    return all.join(" or ");
  };
  const of = async (table, columns) => {
    const rows = given && only === table ? given : text.trim() ? await list(state.tables[table].set, { $filter: any(columns), $top: "25" }) : [];
    return rows.length ? [el("h1", { class: "title" }, NAMES[table][1]), el("div", { class: "list" }, rowsTable(table, rows, LISTS[table][3]))] : [];
  };
  const found = (await Promise.all([of("contact", ["fullname", "emailaddress1", "telephone1", "mobilephone"]), of("account", ["name", "telephone1"]), of("incident", ["title", "ticketnumber"])])).flat();
  return [el("h1", { class: "title" }, text ? `Results for “${text}”` : "Search results"), ...(found.length ? found : [el("p", { class: "empty", style: "padding-left:20px" }, text ? "Nothing was found. Try part of a name, a case number or a phone number." : "Type into the search box above.")])];
}

function pageView({ name, given }, tab) {
  tab.title ??= name;
  return [el("div", { class: "generic" }, el("p", {}, `Page of the template ${name}`), el("pre", {}, JSON.stringify(given ?? {}, null, 2)))];
}

/** One field of a form: its element, and what it would change. */
function field(table, name, row, values, locked) {
  const column = state.tables[table].columns[name];
  const label = el("span", {}, name === "account" ? "Account" : LABELS[name] ?? name, REQUIRED.has(name) && !row ? el("i", { title: "Required" }, " *") : null);
  const wrap = (...inner) => ({ node: el("label", { class: "field" }, label, ...inner) });
  if (name === "customer" || name === "account" || name === "regarding") {
    const lookup = { customer: "_customerid_value", account: "_parentcustomerid_value", regarding: "_regardingobjectid_value" }[name];
    if (row) return wrap(el("span", {}, row[lookup] ? link(tableOf(row, lookup), row[lookup], formatted(row, lookup) ?? row[lookup]) : "–"));
    const given = [values[{ customer: "customerid", account: "parentcustomerid", regarding: "regardingobjectid" }[name]]].flat()[0];
    return lookupField(wrap, name, table, given, values);
  }
  if (name === "parties") return row ? wrap(el("span", {}, (row.phonecall_activity_parties ?? []).filter((p) => p.participationtypemask < 3).sort((a, b) => a.participationtypemask - b.participationtypemask).map((p, n) => [n ? " → " : "", formatted(p, "_partyid_value") ?? p.addressused ?? "?"]))) : null;
  if (name === "ticketnumber") return row ? wrap(el("span", {}, row[name] ?? "")) : null;
  if (name === "directioncode") {
    const input = el("select", { disabled: locked, name }, el("option", { value: "false" }, "Incoming"), el("option", { value: "true" }, "Outgoing"));
    input.value = String(row ? row[name] : values[name] ?? true);
    return { ...wrap(input), name, input, read: () => input.value === "true" };
  }
  if (column?.choices) {
    const fits = column.choices.filter((c) => c.state === null || c.state === (row?.statecode ?? 0));
    const input = el("select", { disabled: locked, name }, name !== "statuscode" && el("option", { value: "" }, "–"), fits.map((c) => el("option", { value: c.value }, c.label)));
    input.value = String((row ? row[name] : values[name]) ?? (name === "statuscode" ? fits[0]?.value : ""));
    return { ...wrap(input), name, input, read: () => input.value === "" ? null : Number(input.value) };
  }
  const long = name === "description";
  const input = el(long ? "textarea" : "input", { disabled: locked, name, autocomplete: "off", value: (row ? row[name] : values[name]) ?? "" });
  const read = () => input.value === "" ? null : column?.type === "Edm.Int32" ? Number(input.value) : input.value;
  if (!PHONES.has(name)) return { ...wrap(input), name, input, read };
  const dial = el("button", { type: "button", class: "dial", title: "Call", "aria-label": `Call ${input.value}`, hidden: !(state.clickToAct && row && input.value), onclick: (e) => { e.preventDefault(); act(table, row, name, input.value); } });
  dial.innerHTML = "<svg width='14' height='14' viewBox='0 0 16 16' aria-hidden='true'><path d='M4.400 1l2 3.600-1.500 1.300c.9 1.900 2.300 3.300 4.200 4.200l1.300-1.500L14 10.600c.3 2-.9 3.400-2.600 3.400C6.200 14 2 9.800 2 4.600 2 2.900 2.900 1.300 4.400 1z'/></svg>";
  return { ...wrap(el("span", { class: "both" }, input, dial)), name, input, read };
}

/** The customer, account or regarding record of a new row: prefilled, or chosen by typing a name. */
function lookupField(wrap, name, table, given, values) {
  const standard = { customer: "contact", account: "account", regarding: "incident" }[name];
  const typed = values[{ customer: "customeridtype", account: "parentcustomeridtype", regarding: "regardingobjectidtype" }[name]];
  const kind = typed ?? given?.entityType ?? given?.logicalName ?? standard;
  const id = String(given?.id ?? given ?? "").replace(/[{}]/g, "").toLowerCase();
  const input = el("input", { name, autocomplete: "off", placeholder: "Type a name", list: `known-${name}` });
  const options = el("datalist", { id: `known-${name}` });
  const chosen = { table: kind, id };
  const { set, primary } = state.tables[kind];
  if (id) read(`${set}(${id})`, { $select: primary }).then((row) => { input.value = row[primary] ?? ""; }, () => { chosen.id = ""; });
  const names = new Map();
  input.addEventListener("input", async () => {
    chosen.id = names.get(input.value) ?? "";
    if (chosen.id || input.value.length < 2) return;
    const rows = await list(set, { $select: primary, $filter: `contains(${primary},'${input.value.replace(/'/g, "''")}')`, $top: "8" });
    rows.forEach((row) => names.set(row[primary], row[state.tables[kind].id]));
    options.replaceChildren(...rows.map((row) => el("option", { value: row[primary] })));
    chosen.id = names.get(input.value) ?? "";
  });
  const bind = { customer: `customerid_${kind}`, account: `parentcustomerid_${kind}`, regarding: `regardingobjectid_${kind}_${table}` }[name];
  return { ...wrap(el("span", { style: "padding:0" }, input, options)), name: `${bind}@odata.bind`, input, read: () => chosen.id ? `/${set}(${chosen.id})` : null };
}

const act = (table, row, name, value) => {
  const { id, primary } = state.tables[table];
  cif.tell("onclicktoact", JSON.stringify({ value, name, format: "Phone", entityLogicalName: table, entityId: row[id], recordTitle: row[primary] ?? "" }));
};

const formCards = (table, row, values, locked) => {
  const fields = [];
  const cards = (FORMS[table] ?? [["General", [state.tables[table].primary]]]).map(([name, names]) => {
    const own = names.map((n) => field(table, n, row, values, locked)).filter(Boolean);
    fields.push(...own.filter((f) => f.input));
    return el("section", { class: "card" }, el("h2", {}, name), own.map((f) => f.node));
  });
  return { cards, fields };
};

async function recordView({ table, id }, tab) {
  const { set, primary } = state.tables[table];
  const row = await read(`${set}(${id})`, table === "phonecall" ? { $expand: "phonecall_activity_parties" } : {});
  if (!tab.named) tab.title = table === "incident" ? row.ticketnumber : row[primary] ?? NAMES[table]?.[0] ?? table;
  if (tab.fixed && !session().named) session().title = row[primary];
  const closed = row.statecode !== undefined && row.statecode !== 0;
  const locked = closed && table !== "contact" && table !== "account";
  const { cards, fields } = formCards(table, row, {}, locked);
  const said = el("span", { class: "said", role: "status" }, locked ? "Read-only" : "");
  const save = async () => {
    const changes = Object.fromEntries(fields.filter((f) => String(f.read() ?? "") !== String(row[f.name] ?? "")).map((f) => [f.name, f.read()]));
    if (!Object.keys(changes).length) return say(said, "Nothing was changed.");
    await done(said, () => api.update(set, id, changes));
  };
  const close = { incident: () => api.post("CloseIncident", { IncidentResolution: { subject: "Resolved", "incidentid@odata.bind": `/incidents(${id})` }, Status: 5 }), phonecall: () => api.update(set, id, { statecode: 1, statuscode: row.directioncode ? 2 : 4 }) }[table];
  const commands = el("div", { class: "commands" },
    !locked && el("button", { type: "button", class: "first", onclick: save }, "Save"),
    !closed && close && el("button", { type: "button", onclick: () => done(said, close) }, table === "incident" ? "Resolve case" : "Mark complete"),
    closed && table === "incident" && el("button", { type: "button", onclick: () => done(said, () => api.update(set, id, { statecode: 0, statuscode: 1 })) }, "Reactivate"),
    table === "contact" && el("button", { type: "button", onclick: () => ui.open({ kind: "new", table: "incident", values: { customerid: id, customeridtype: "contact" } }) }, "New case"),
    el("button", { type: "button", onclick: () => draw({}) }, "Refresh"), said);
  const facts = [["Owner", formatted(row, "_ownerid_value")], ["Created", when(row.createdon)]];
  if (formatted(row, "statuscode")) facts.unshift(["Status", pill(formatted(row, "statuscode"))]);
  const big = mark(table, table === "contact" || table === "account" ? row[primary] : null);
  big.classList.add("big");
  const head = el("div", { class: "head" }, big, el("div", {}, el("h1", {}, row[primary] ?? "(no name)"), el("div", { class: "kind" }, NAMES[table]?.[0] ?? table, row.ticketnumber ? ` · ${row.ticketnumber}` : "", row.jobtitle ? ` · ${row.jobtitle}` : "")),
    el("dl", {}, facts.filter(([, v]) => v).map(([k, v]) => el("div", {}, el("dt", {}, k), el("dd", {}, v)))));
  return [commands, head, el("div", { class: "cols" }, el("div", { style: "display:grid;gap:14px" }, cards), el("div", { style: "display:grid;gap:14px" }, await related(table, id)))];
}

const say = (node, text, bad = false) => { node.textContent = text; node.classList.toggle("bad", bad); };

/** Does something and shows how it ended. */
async function done(said, work) {
  try {
    await work();
    await draw({});
    say(document.querySelector(".commands .said") ?? said, "Saved");
  } catch (error) {
    say(said, error.message, true);
  }
}

async function related(table, id) {
  const out = [];
  if (table === "contact" || table === "account") {
    const cases = await list("incidents", { $filter: `_customerid_value eq ${id}`, $orderby: "createdon desc", $top: "20" });
    out.push(card("Cases", cases.map((row) => item("incident", link("incident", row.incidentid, row.title ?? "(no title)"), pill(formatted(row, "statuscode")), `${row.ticketnumber} · ${when(row.createdon)}`)), "No cases yet."));
  }
  if (table === "account") {
    const people = await list("contacts", { $filter: `_parentcustomerid_value eq ${id}`, $orderby: "fullname", $top: "30" });
    out.push(card("Contacts", people.map((row) => item("contact", link("contact", row.contactid, row.fullname), "", [row.jobtitle, row.telephone1].filter(Boolean).join(" · "))), "No contacts."));
  }
  if (table !== "annotation") out.push(await timeline(table, id));
  return out;
}

const card = (name, rows, none) => el("section", { class: "card" }, el("h2", {}, name, " ", el("span", { class: "n" }, rows.length ? String(rows.length) : "")), rows.length ? el("ul", { class: "rows" }, rows) : el("div", { class: "empty" }, none));
const item = (table, title, right, sub, ...more) => el("li", {}, mark(table), el("div", {}, el("div", { class: "line" }, el("span", {}, title), right), sub && el("div", { class: "sub" }, sub), ...more));

async function timeline(table, id) {
  const notes = await list("annotations", { $filter: `_objectid_value eq ${id}`, $select: "annotationid,subject,notetext,filename,documentbody,filesize,createdon,_createdby_value" });
  const about = table === "contact" ? `phonecall_activity_parties/any(p:p/_partyid_value eq ${id}) or _regardingobjectid_value eq ${id}` : `_regardingobjectid_value eq ${id}`;
  const calls = table === "phonecall" ? [] : await list("phonecalls", { $filter: about });
  const rows = [
    ...notes.map((n) => [n.createdon, item("annotation", n.subject || "Note", "", `${when(n.createdon)} · ${formatted(n, "_createdby_value") ?? ""}`, n.notetext && el("div", { class: "text" }, textOf(n.notetext)),
      n.documentbody && el("details", {}, el("summary", {}, `${n.filename ?? "file"} (${Math.ceil((n.filesize ?? 0) / 1024)} kB)`), el("pre", {}, decoded(n.documentbody))))]),
    ...calls.map((c) => [c.createdon, item("phonecall", link("phonecall", c.activityid, c.subject || "Phone call"), pill(formatted(c, "statuscode")), `${c.directioncode ? "Outgoing" : "Incoming"} · ${c.phonenumber ?? "no number"} · ${when(c.createdon)}`, c.description && el("div", { class: "text" }, c.description))]),
  ];
  rows.sort(([a], [b]) => (a < b ? 1 : -1));
  return card("Timeline", rows.map(([, node]) => node), "Nothing has happened here yet.");
}

async function newView({ table, values }, tab) {
  tab.title = `New ${NAMES[table]?.[0].toLowerCase() ?? table}`;
  const { cards, fields } = formCards(table, null, values, false);
  const said = el("span", { class: "said", role: "status" }, Object.keys(values).length ? "Filled in for you; not saved yet" : "Not saved yet");
  const save = async () => {
    try {
      const made = await create(table, fields, values);
      Object.assign(tab, { view: { kind: "record", table, id: made[state.tables[table].id] }, title: null });
      draw({ moved: true });
    } catch (error) {
      say(said, error.message, true);
    }
  };
  const big = mark(table);
  big.classList.add("big");
  return [el("div", { class: "commands" }, el("button", { type: "button", class: "first", onclick: save }, "Save"), el("button", { type: "button", onclick: () => ui.open({ kind: "list", table: LISTS[table] ? table : "incident" }) }, "Discard"), said),
    el("div", { class: "head" }, big, el("div", {}, el("h1", {}, tab.title), el("div", { class: "kind" }, NAMES[table]?.[0] ?? table))), el("div", { class: "cols" }, cards)];
}

/** Columns given to the form that it does not show are saved as well. */
function create(table, fields, values) {
  const columns = state.tables[table].columns;
  const hidden = Object.entries(values).filter(([name, v]) => columns[name] && !fields.some((f) => f.name === name) && ["string", "number", "boolean"].includes(typeof v) && columns[name].type !== "Edm.Guid");
  const body = Object.fromEntries([...hidden, ...fields.map((f) => [f.name, f.read()])].filter(([, v]) => v !== null && v !== ""));
  return api.create(state.tables[table].set, body);
}

function quickForm(table, values, resolve, reject) {
  const { cards, fields } = formCards(table, null, values, false);
  const said = el("span", { class: "bad", role: "alert" });
  const close = () => $("dialog").replaceChildren();
  const save = async () => {
    try {
      const made = await create(table, fields, values);
      close();
      draw({});
      resolve([{ entityType: table, id: made[state.tables[table].id], name: made[state.tables[table].primary] ?? "" }]);
    } catch (error) {
      said.textContent = error.message;
    }
  };
  const cancel = () => { close(); reject(new Error("The form was closed.")); };
  $("dialog").replaceChildren(el("div", { class: "quick", role: "dialog", "aria-modal": "true", "aria-label": `Quick create: ${NAMES[table]?.[0] ?? table}` }, el("h2", {}, `Quick create: ${NAMES[table]?.[0].toLowerCase() ?? table}`), el("div", { class: "fields" }, cards),
    el("div", { class: "foot" }, said, el("button", { class: "btn", type: "button", onclick: cancel }, "Cancel"), el("button", { class: "btn main", type: "button", onclick: save }, "Save and close"))));
}

// ---- notifications ------------------------------------------------------------------------------------------------------

const toasts = [];

function notify(template, given, token) {
  const { autoAccept, shownMax, queueMax, queueSeconds } = state.settings;
  if (autoAccept) return Promise.resolve({ actionName: "Accept", responseReason: "AutoAccept" });
  if (toasts.length >= shownMax + queueMax) return Promise.resolve({ actionName: "Reject", responseReason: "NotificationQueueLimitExceeded" });
  return new Promise((resolve) => {
    const toast = { token, template, given, node: null, timer: null };
    toast.end = (result) => {
      clearTimeout(toast.timer);
      toast.node?.remove();
      const at = toasts.indexOf(toast);
      if (at >= 0) toasts.splice(at, 1);
      resolve(result);
      showNext();
    };
    toast.timer = setTimeout(() => toast.end({ actionName: "Reject", responseReason: "NotificationQueueTimeLimitExceeded" }), queueSeconds * 1000);
    toasts.push(toast);
    showNext();
  });
}

function showNext() {
  const { shownMax, displaySeconds } = state.settings;
  const next = toasts.find((t) => t.node === null);
  if (!next || toasts.filter((t) => t.node !== null).length >= shownMax) return;
  clearTimeout(next.timer);
  next.timer = setTimeout(() => next.end({ actionName: "Timeout", responseReason: "DisplayTimeout" }), displaySeconds * 1000);
  const [title, ...rest] = Object.entries(next.given);
  const button = (name, main, result) => el("button", { type: "button", class: main ? "btn main" : "btn", onclick: () => next.end(result) }, name);
  next.node = el("div", { class: "toast", role: "alertdialog", "aria-label": "Incoming" }, el("b", {}, title ? String(title[1]) : "Incoming conversation"), el("dl", {}, rest.map(([k, v]) => [el("dt", {}, k), el("dd", {}, String(v))])),
    el("div", { class: "two" }, button("Accept", true, { actionName: "Accept", responseReason: "Accept" }), button("Decline", false, { actionName: "Reject", responseReason: "DeclinedByAgent" })));
  $("toasts").append(next.node);
  showNext();
}

// ---- the panel, the beginning -----------------------------------------------------------------------------------------

function drawPanel(url) {
  const header = el("header", {}, el("span", {}, "Tieline"), el("button", { type: "button", id: "fold", onclick: () => ui.setMode(state.mode === 1 ? 0 : 1) }, "–"));
  if (!url) {
    $("provider").replaceChildren(header, el("div", { class: "empty" }, el("p", {}, "No channel provider is set up."), el("p", {}, "Start the sandbox with --panel-url.")));
    cif.attach(null);
    return;
  }
  const to = new URL(url);
  to.searchParams.set("base", location.origin);
  const frame = el("iframe", { title: "Tieline", allow: "microphone; autoplay; clipboard-write", "data-origin": to.origin });
  cif.attach(frame);
  frame.src = to.href;
  $("provider").replaceChildren(header, frame);
}

async function watch() {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 1500));
    try {
      const { revision, panel } = await (await fetch("/console/revision")).json();
      if (panel !== state.panel) drawPanel(state.panel = panel);
      const typing = ["INPUT", "TEXTAREA", "SELECT"].includes(document.activeElement?.tagName) && $("main").contains(document.activeElement);
      // What somebody is typing is not taken from under their hands.
      if (revision !== state.revision && !typing && active().view.kind !== "new") {
        state.revision = revision;
        await draw({});
      }
    } catch {
      // The environment is restarting; the next round tells.
    }
  }
}

async function begin() {
  const { tables, user, org, panel } = await (await fetch("/console/start")).json();
  Object.assign(state, { tables, user, org, panel });
  state.revision = (await (await fetch("/console/revision")).json()).revision;
  const first = tabFor(viewOf(query));
  state.sessions.push({ id: "home", home: true, title: "Home", tabs: [first], active: first.id, context: {}, conversationId: null });
  $("edition").textContent = state.version === 2 ? "workspace" : "hub";
  const automatic = el("label", {}, el("input", { type: "checkbox", id: "auto", onchange: (e) => { state.settings.autoAccept = e.target.checked; } }), "Accept automatically");
  $("who").replaceChildren(...(state.version === 2 ? [automatic] : []), el("span", {}, user.name), el("span", { class: "face", "aria-hidden": "true" }, initials(user.name)));
  document.querySelector(".find").addEventListener("submit", (e) => {
    e.preventDefault();
    ui.open({ kind: "search", text: $("find").value.trim() });
  });
  layout();
  drawPanel(panel);
  layout();
  await draw({ moved: true });
  window.crm = { state, ui, cif };
  watch();
}

begin();
