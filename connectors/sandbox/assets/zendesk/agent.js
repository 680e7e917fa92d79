// The agents' page: tickets, customers and organizations in tabs, a search, and the app in the top bar (zaf.js).

import { ZafHost } from "./zaf.js";

const $ = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const state = { start: null, zaf: null, bar: null, tabs: [], active: null, list: "unsolved", revision: -1, seq: 0, shown: false };
window.agentPage = state;

/** Builds an element; texts stay texts. */
function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}

// ---- the account ------------------------------------------------------------------------------------------------

/** Which agent looks; kept over all addresses. */
const as = () => (query.has("agent") ? `agent=${encodeURIComponent(query.get("agent"))}` : "");
const data = (path) => `/agent/data/${path}${path.includes("?") ? "&" : "?"}${as()}`;

async function get(path) {
  const answer = await fetch(data(path));
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

async function send(path, body) {
  const answer = await fetch(data(path), { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  const said = await answer.json().catch(() => null);
  if (answer.ok) return said;
  throw new Error(Object.values(said?.details ?? {})[0]?.[0]?.description ?? said?.description ?? "It could not be saved.");
}

// ---- values -----------------------------------------------------------------------------------------------------

const time = (text) => new Date(text).toLocaleString("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
const day = (text) => new Date(text).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
const initials = (name) => name.split(/\s+/).map((w) => [...w][0] ?? "").slice(0, 2).join("").toUpperCase();
const NAMES = { new: "New", open: "Open", pending: "Pending", hold: "On-hold", solved: "Solved", closed: "Closed" };
const pill = (status) => el("span", { class: "pill", "data-status": status }, NAMES[status] ?? status);
const none = () => el("span", { class: "none" }, "–");
const face = (name, agent) => el("span", { class: "face", "data-side": agent ? "agent" : null, "aria-hidden": "true" }, initials(name));

function link(path, text, more = {}) {
  return el("a", { href: path, ...more, onclick: (e) => { e.preventDefault(); go(path); } }, text);
}
const userLink = (user) => (user ? link(`/agent/users/${user.id}`, user.name) : none());

/** A number, to click on where a phone is connected. */
function phone(number) {
  if (!number) return none();
  if (!state.start.talk_partner) return el("span", {}, number);
  return el("button", { class: "tel", type: "button", "data-dial": number, title: `Call ${number}`, onclick: () => state.zaf.tell("voice.dialout", { number }) }, number);
}

// ---- tabs -------------------------------------------------------------------------------------------------------

/** Opens an address of the page; an open tab of it is used again. */
async function go(path, replace = false) {
  const url = new URL(path, location.origin);
  const kept = new URLSearchParams(query);
  for (const [name, value] of url.searchParams) kept.set(name, value);
  history[replace ? "replaceState" : "pushState"](null, "", `${url.pathname}${kept.size > 0 ? `?${kept}` : ""}`);
  return show();
}

const KINDS = [
  [/^\/agent\/tickets\/new$/, "new"], [/^\/agent\/tickets\/(\d+)$/, "ticket"], [/^\/agent\/users\/(\d+)$/, "user"],
  [/^\/agent\/organizations\/(\d+)$/, "organization"], [/^\/agent\/search\/1$/, "search"],
];

function place() {
  const path = location.pathname.replace(/(.)\/$/, "$1");
  for (const [shape, kind] of KINDS) {
    const found = shape.exec(path);
    if (found) return { kind, id: found[1] ?? null, q: new URLSearchParams(location.search).get("q"), key: kind === "search" ? "search" : path, path };
  }
  const list = /^\/agent\/(?:filters\/(\w+)|(customers|organizations))$/.exec(path);
  return { kind: "list", id: list?.[1] ?? list?.[2] ?? "unsolved", key: null, path };
}

async function show() {
  const at = place();
  if (at.kind !== "list") {
    const there = state.tabs.find((t) => t.key === at.key);
    if (there) Object.assign(there, at);
    else state.tabs.push({ ...at, title: "Loading…", sub: "" });
  } else state.list = at.id;
  state.active = at.key;
  drawTabs();
  await draw(true);
}

function close(key) {
  const i = state.tabs.findIndex((t) => t.key === key);
  state.tabs.splice(i, 1);
  if (state.active !== key) return drawTabs();
  const next = state.tabs[Math.min(i, state.tabs.length - 1)];
  return go(next ? pathOf(next) : `/agent/filters/${state.list}`);
}

const pathOf = (tab) => (tab.kind === "search" ? `/agent/search/1?q=${encodeURIComponent(tab.q ?? "")}` : tab.path);

function drawTabs() {
  $("tabs").replaceChildren(...state.tabs.map((tab) =>
    el("div", { class: "tab", role: "tab", tabindex: "0", "aria-selected": String(tab.key === state.active), "data-kind": tab.kind, "data-id": tab.id, title: tab.title,
      onclick: () => go(pathOf(tab)), onkeydown: (e) => { if (e.key === "Enter") go(pathOf(tab)); } },
      el("span", { class: "dot", "data-kind": tab.kind, "data-status": tab.status }),
      el("span", { class: "t" }, tab.title, el("span", { class: "s" }, tab.sub)),
      el("button", { type: "button", "aria-label": `Close ${tab.title}`, onclick: (e) => { e.stopPropagation(); close(tab.key); } }, "×"))));
  const at = place();
  for (const a of document.querySelectorAll(".rail a")) {
    const on = at.kind === "list" && (a.dataset.go.endsWith(at.id) || (a.dataset.go.includes("filters") && !["customers", "organizations"].includes(at.id)));
    if (on) a.setAttribute("aria-current", "page");
    else a.removeAttribute("aria-current");
  }
}

/** What a page shows, by its kind. */
const PAGES = {
  list: [(at) => `list/${at.id}`, listPage], ticket: [(at) => `ticket/${at.id}`, ticketPage], user: [(at) => `user/${at.id}`, userPage],
  organization: [(at) => `organization/${at.id}`, organizationPage], search: [(at) => `search?q=${encodeURIComponent(at.q ?? "")}`, searchPage],
};
let drawn = "";

async function draw(fresh) {
  const at = place();
  if (at.kind === "new") return fresh ? newTicket(at) : undefined;
  const [path, page] = PAGES[at.kind];
  const said = await get(path(at)).catch(() => null);
  const now = JSON.stringify([at, said]);
  if (place().path !== at.path || (!fresh && now === drawn)) return undefined;
  drawn = now;
  const tab = state.tabs.find((t) => t.key === at.key);
  if (said === null) {
    if (tab) Object.assign(tab, { title: "Not found", sub: "" });
    drawTabs();
    return $("main").replaceChildren(el("div", { class: "page" }, el("h1", {}, "This page is not there"), el("p", { class: "lead" }, "The record does not exist or was deleted.")));
  }
  const kept = keep();
  $("main").replaceChildren(page(at, said, tab));
  if (!fresh) restore(kept);
  document.title = `${tab?.title ?? "Views"} · Agent workspace`;
  return drawTabs();
}

/** What somebody is writing survives a page that draws itself anew. */
const keep = () => ({ text: document.querySelector(".write textarea")?.value, mode: document.querySelector(".write")?.dataset.public, said: document.querySelector(".said")?.scrollTop });
function restore({ text, mode, said }) {
  const box = document.querySelector(".write");
  if (box && mode !== undefined) { box.querySelector("textarea").value = text; setMode(box, mode === "true"); }
  const list = document.querySelector(".said");
  if (list && said !== undefined) list.scrollTop = said;
}

// ---- lists ------------------------------------------------------------------------------------------------------

const VIEWS = { unsolved: "Unsolved tickets", recent: "Recently updated", solved: "Solved tickets" };

function ticketTable(rows) {
  if (rows.length === 0) return el("p", { class: "empty" }, "No tickets.");
  const head = ["Status", "Ticket", "Subject", "Requester", "Updated", "Assignee"];
  return el("table", {}, el("thead", {}, el("tr", {}, head.map((h) => el("th", { scope: "col" }, h)))),
    el("tbody", {}, rows.map((t) => el("tr", { "data-ticket": t.id }, el("td", {}, pill(t.status)), el("td", {}, link(`/agent/tickets/${t.id}`, `#${t.id}`)),
      el("td", {}, link(`/agent/tickets/${t.id}`, t.subject)), el("td", {}, userLink(t.requester)), el("td", {}, time(t.updated_at)), el("td", {}, t.assignee?.name ?? none())))));
}

function userTable(rows) {
  if (rows.length === 0) return el("p", { class: "empty" }, "Nobody.");
  return el("table", {}, el("thead", {}, el("tr", {}, ["Name", "Email", "Phone", "Organization"].map((h) => el("th", { scope: "col" }, h)))),
    el("tbody", {}, rows.map((u) => el("tr", { "data-user": u.id }, el("td", {}, userLink(u)), el("td", {}, u.email ?? none()), el("td", {}, phone(u.phone)),
      el("td", {}, u.organization ? link(`/agent/organizations/${u.organization.id}`, u.organization.name) : none())))));
}

function listPage(at, { rows }) {
  if (at.id === "customers") return el("div", { class: "page" }, el("h1", {}, "Customers"), el("p", { class: "lead" }, `${rows.length} people`), userTable(rows));
  if (at.id === "organizations") {
    const table = el("table", {}, el("thead", {}, el("tr", {}, ["Name", "Domain", "Details"].map((h) => el("th", { scope: "col" }, h)))),
      el("tbody", {}, rows.map((o) => el("tr", {}, el("td", {}, link(`/agent/organizations/${o.id}`, o.name)), el("td", {}, o.domains.join(", ")), el("td", {}, o.details)))));
    return el("div", { class: "page" }, el("h1", {}, "Organizations"), el("p", { class: "lead" }, `${rows.length} companies`), table);
  }
  const views = Object.entries(VIEWS).map(([id, name]) => link(`/agent/filters/${id}`, name, { "aria-current": id === at.id ? "page" : null }));
  return el("div", { class: "views" }, el("nav", { "aria-label": "Views" }, el("h2", {}, "Views"), views),
    el("div", {}, el("div", { class: "page" }, el("h1", {}, VIEWS[at.id] ?? at.id), el("p", { class: "lead" }, `${rows.length} tickets`), ticketTable(rows))));
}

function searchPage(at, { q, users, tickets }, tab) {
  Object.assign(tab, { title: "Search", sub: q });
  return el("div", { class: "page", "data-search": q }, el("h1", {}, `Results for “${q}”`), el("p", { class: "lead" }, `${users.length} people, ${tickets.length} tickets`),
    users.length > 0 ? userTable(users) : null, users.length > 0 && tickets.length > 0 ? el("p", {}) : null, tickets.length > 0 || users.length === 0 ? ticketTable(tickets) : null);
}

// ---- records ----------------------------------------------------------------------------------------------------

function personCard(user) {
  if (!user) return el("p", { class: "none" }, "Nobody");
  return [el("div", { class: "person" }, face(user.name, user.role !== "end-user"), el("div", {}, el("div", { class: "n" }, link(`/agent/users/${user.id}`, user.name)),
    el("div", { class: "o" }, user.organization ? link(`/agent/organizations/${user.organization.id}`, user.organization.name) : "No organization"))),
  el("dl", { class: "facts" }, el("dt", {}, "Email"), el("dd", {}, user.email ?? none()), el("dt", {}, "Phone"), el("dd", {}, phone(user.phone)))];
}

const past = (rows) => (rows.length === 0 ? el("p", { class: "empty" }, "Nothing yet.") : el("ul", { class: "past" }, rows.map((t) =>
  el("li", {}, el("span", { class: "dot", "data-status": t.status }), link(`/agent/tickets/${t.id}`, t.subject), el("span", { class: "sub" }, `${day(t.created_at)} · ${NAMES[t.status]} · #${t.id}`)))));

function commentRow(c) {
  const name = c.author?.name ?? "Unknown";
  const files = c.attachments.filter((f) => !f.deleted).map((f) => el("a", { href: f.content_url, target: "_blank", rel: "noreferrer" }, `${f.file_name} (${f.size} bytes)`));
  return el("article", { "data-comment": c.id, "data-public": String(c.public) }, face(name, c.author?.role !== "end-user"),
    el("div", {}, el("div", { class: "line" }, el("b", {}, name), el("span", {}, time(c.created_at)), c.public ? null : el("span", { class: "tag" }, c.type === "Comment" ? "Internal" : "Internal · call")),
      el("div", { class: "body" }, c.body), files.length > 0 ? el("div", { class: "files" }, files) : null));
}

function setMode(box, open) {
  box.dataset.public = String(open);
  for (const b of box.querySelectorAll(".modes button")) b.setAttribute("aria-pressed", String((b.dataset.mode === "public") === open));
  box.querySelector("textarea").placeholder = open ? "Reply to the customer" : "Note for colleagues; the customer does not see it";
}

function composer() {
  const box = el("section", { class: "write" }, el("div", { class: "modes" },
    el("button", { type: "button", "data-mode": "public", onclick: () => setMode(box, true) }, "Public reply"),
    el("button", { type: "button", "data-mode": "internal", onclick: () => setMode(box, false) }, "Internal note")), el("textarea", { "aria-label": "Message" }));
  setMode(box, true);
  return box;
}

function ticketPage(at, { ticket, brief, comments, others, custom }, tab) {
  Object.assign(tab, { title: ticket.subject, sub: `#${ticket.id}`, status: ticket.status });
  const error = el("span", { class: "error", role: "alert" });
  const save = async (status) => {
    const box = document.querySelector(".write");
    const body = { status, comment: box.querySelector("textarea").value, public: box.dataset.public === "true" };
    try {
      await send(`ticket/${at.id}`, body);
      box.querySelector("textarea").value = "";
      await draw(true);
    } catch (e) {
      error.textContent = e.message;
    }
  };
  const row = (name, value) => [el("dt", {}, name), el("dd", {}, value)];
  const props = el("dl", {}, row("Requester", userLink(brief.requester)), row("Assignee", brief.assignee?.name ?? none()), row("Group", state.start.group.name),
    row("Tags", ticket.tags.length > 0 ? el("div", { class: "tags" }, ticket.tags.map((t) => el("span", {}, t))) : none()), row("Type", ticket.type ?? none()), row("Priority", ticket.priority ?? none()),
    ticket.external_id ? row("External id", ticket.external_id) : null, custom.filter((f) => f.value !== null).map((f) => row(f.title, String(f.value))));
  const closed = ticket.status === "closed";
  const next = ticket.status === "new" ? "open" : ticket.status;
  return el("div", { class: "ticket", "data-ticket": ticket.id },
    el("div", { class: "crumb" }, brief.requester?.organization ? link(`/agent/organizations/${brief.requester.organization.id}`, brief.requester.organization.name) : null, userLink(brief.requester), el("span", {}, pill(ticket.status), ` Ticket #${ticket.id}`)),
    el("aside", { class: "props", "aria-label": "Properties" }, props),
    el("section", { class: "talk" }, el("header", {}, el("h1", {}, ticket.subject), el("div", { class: "sub" }, `Via ${ticket.via.channel} · ${time(ticket.created_at)}`)),
      el("div", { class: "said" }, comments.map(commentRow)), closed ? el("section", { class: "write", "data-public": "true" }, "This ticket is closed; only a follow-up can be made.") : composer()),
    el("aside", { class: "side", "aria-label": "Customer" }, personCard(brief.requester), el("h2", {}, "Interaction history"), past(others)),
    el("footer", { class: "foot" }, error, closed ? null : el("button", { class: "btn", type: "button", onclick: () => save("solved") }, "Submit as solved"),
      closed ? null : el("button", { class: "btn dark", type: "button", onclick: () => save(next) }, `Submit as ${NAMES[next].toLowerCase()}`)));
}

function userPage(at, { user, brief, identities, tickets }, tab) {
  Object.assign(tab, { title: user.name, sub: brief.organization?.name ?? "" });
  const fact = (name, value) => [el("dt", {}, name), el("dd", {}, value)];
  const more = identities.filter((i) => i.type === "phone_number" && i.value !== user.phone);
  const card = el("aside", { class: "card" }, el("div", { class: "person" }, face(user.name, user.role !== "end-user"), el("div", {}, el("div", { class: "n" }, user.name), el("div", { class: "o" }, brief.organization?.name ?? "No organization"))),
    el("dl", { class: "facts" }, fact("Role", user.role === "end-user" ? "Customer" : user.role), fact("Email", user.email ?? none()), fact("Phone", phone(user.phone)), more.map((i) => fact("", phone(i.value))),
      fact("Org.", brief.organization ? link(`/agent/organizations/${brief.organization.id}`, brief.organization.name) : none()), fact("Details", user.details || none()), fact("Notes", user.notes || none()),
      user.external_id ? fact("External id", user.external_id) : null, fact("Since", day(user.created_at))));
  return el("div", { class: "user", "data-user": user.id }, card, el("div", {}, el("h1", {}, `Tickets (${tickets.length})`), ticketTable(tickets)));
}

function organizationPage(at, { organization, users, tickets }, tab) {
  Object.assign(tab, { title: organization.name, sub: organization.domain_names.join(", ") });
  return el("div", { class: "page", "data-organization": organization.id }, el("h1", {}, organization.name), el("p", { class: "lead" }, organization.details), userTable(users), el("p", {}), ticketTable(tickets));
}

// ---- making things ----------------------------------------------------------------------------------------------

/** Names, e-mail, phone: as Zendesk's own small window for a user has them. */
function newUser(values = {}) {
  const input = (name, label, more = {}) => el("label", {}, label, el("input", { name, autocomplete: "off", value: values[name] ?? "", ...more }));
  const error = el("span", { class: "error", role: "alert" });
  const close = () => $("modal").replaceChildren();
  const save = async (e) => {
    e.preventDefault();
    try {
      const { id } = await send("user", Object.fromEntries(new FormData(form)));
      close();
      go(`/agent/users/${id}`);
    } catch (problem) {
      error.textContent = problem.message;
    }
  };
  const form = el("form", { class: "modal", role: "dialog", "aria-modal": "true", "aria-label": "Add user", onsubmit: save, onkeydown: (e) => { if (e.key === "Escape") close(); } },
    el("h2", {}, "Add user"), el("div", { class: "form" }, input("name", "Name", { required: true }), input("email", "Email"), input("phone", "Phone")),
    el("div", { class: "acts" }, error, el("button", { class: "btn", type: "button", onclick: close }, "Cancel"), el("button", { class: "btn main", type: "submit" }, "Add")));
  $("modal").replaceChildren(form);
  form.querySelector("input").focus();
}

function newTicket(at) {
  const tab = state.tabs.find((t) => t.key === at.key);
  Object.assign(tab, { title: "New ticket", sub: "", status: "new" });
  const error = el("span", { class: "error", role: "alert" });
  const box = composer();
  const save = async () => {
    const { email, subject } = Object.fromEntries(new FormData(form));
    const requester = email ? { email, name: email.split("@")[0] } : undefined;
    const ticket = { subject, requester, comment: { body: box.querySelector("textarea").value, public: box.dataset.public === "true" } };
    const { status, json } = await request({ method: "POST", url: "/api/v2/tickets", data: { ticket } });
    if (status !== 201) { error.textContent = Object.values(json?.details ?? {})[0]?.[0]?.description ?? "It could not be saved."; return; }
    state.tabs.splice(state.tabs.indexOf(tab), 1);
    go(`/agent/tickets/${json.ticket.id}`);
  };
  const form = el("form", { class: "page form", "data-new": "ticket", onsubmit: (e) => { e.preventDefault(); save(); } }, el("h1", {}, "New ticket"),
    el("label", {}, "Requester's email", el("input", { name: "email", autocomplete: "off" })), el("label", {}, "Subject", el("input", { name: "subject", autocomplete: "off" })), box,
    el("div", {}, el("button", { class: "btn dark", type: "submit" }, "Submit as new"), " ", error));
  $("main").replaceChildren(form);
  drawTabs();
}

// ---- the app ----------------------------------------------------------------------------------------------------

const request = (what) => send("request", what);

/** What the app may ask of the page. */
const page = {
  async routeTo(kind, id) {
    const known = { ticket: "tickets", user: "users", organization: "organizations" }[kind];
    if (kind === "ticket" && id === "new") return go("/agent/tickets/new").then(() => null);
    if (kind === "search") return go(`/agent/search/1?q=${encodeURIComponent(String(id ?? ""))}`).then(() => null);
    // There is no route to a form for a new user; agents have "+ Add".
    if (known && /^\d+$/.test(String(id))) return go(`/agent/${known}/${id}`).then(() => null);
    if (["nav_bar", "app"].includes(kind)) return new Error("The app has no page in the navigation bar");
    return new Error(`There is no route to ${kind} ${id}`);
  },
  notify(text, kind = "notice", how = 5_000) {
    const drop = () => toast.remove();
    const toast = el("div", { class: "toast", "data-kind": kind }, el("span", {}, String(text)), el("button", { type: "button", "aria-label": "Dismiss", onclick: drop }, "×"));
    $("toasts").append(toast);
    if (how?.sticky !== true) setTimeout(drop, Number(how) || 5_000);
  },
  popover(how) {
    const shown = how === undefined || how === null || how === "toggle" ? !state.shown : how !== "hide";
    if (shown) state.bar.load();
    if (how !== null && typeof how === "object") page.resize(how);
    if (shown !== state.shown) state.bar.tell(shown ? "pane.activated" : "pane.deactivated", {});
    state.shown = shown;
    $("popover").hidden = false;
    $("popover").dataset.shown = String(shown);
    $("app")?.setAttribute("aria-expanded", String(shown));
  },
  resize({ width, height }) {
    const size = (value) => (typeof value === "number" ? `${value}px` : /^\d+(\.\d+)?(px|vh|vw|%)$/.test(value ?? "") ? value : null);
    if (size(width)) $("popover").style.setProperty("--w", size(width));
    if (size(height)) $("popover").style.setProperty("--h", size(height));
  },
  modal(zaf, { location: where, url, size }) {
    if (where !== "modal") return new Error("Only a modal can be made");
    const box = el("div", { class: "appmodal" });
    Object.assign(box.style, { width: size?.width ?? "640px", height: size?.height ?? "480px" });
    const instance = zaf.add("modal", box);
    $("modal").replaceChildren(box);
    const own = zaf.url;
    zaf.url = new URL(url ?? own, own).href;
    instance.load();
    zaf.url = own;
    $("modal").onclick = (e) => { if (e.target === $("modal")) { instance.unload(); zaf.instances.delete(instance.guid); $("modal").replaceChildren(); } };
    return [{ instanceGuid: instance.guid }];
  },
  request,
};

/** The app's frames: the top bar's is loaded when it is first needed, the background's at once. */
function embed() {
  state.zaf = new ZafHost(state.start, page);
  const icon = el("button", { class: "app", id: "app", type: "button", title: "Tieline", "aria-label": "Tieline", "aria-expanded": "false", onclick: () => page.popover() });
  icon.innerHTML = '<svg viewBox="0 0 24 24"><path d="M6.600 3.500l3 5-2 1.800c1.300 2.600 3.200 4.500 5.800 5.800l1.800-2 5 3c-.3 2.700-1.700 4-3.900 4C9 21.100 2.900 15 2.900 7.700c0-2.400 1.400-3.900 3.700-4.200z"/></svg>';
  $("apps").replaceChildren(icon);
  state.bar = state.zaf.add("top_bar", $("popover"));
  if (!state.start.panel) $("popover").replaceChildren(el("div", { class: "empty" }, "No app is installed. Give the sandbox the panel's address (--panel-url)."));
  if (query.get("background") === "1") state.zaf.add("background", $("background")).load();
  if (query.get("open") === "1") page.popover("show");
}

/** What the account wants shown: records opened from outside, messages for the app. */
function happened({ display, id, notify, body }) {
  if (display) return page.routeTo(display, id);
  return state.zaf.tell(`api_notification.${notify}`, { body, sender: state.start.agent.id });
}

async function follow() {
  const now = await get(`events?since=${state.seq}`).catch(() => null);
  if (now !== null) {
    if (now.panel !== state.start.panel) return location.reload();
    state.seq = now.seq;
    for (const event of now.events) await happened(event);
    if (now.revision !== state.revision) await draw(false);
    state.revision = now.revision;
  }
  return setTimeout(follow, 500);
}

async function begin() {
  state.start = await get("start");
  state.seq = state.start.seq;
  $("who").append(el("span", {}, state.start.agent.name), face(state.start.agent.name, true));
  for (const a of document.querySelectorAll(".rail a")) a.addEventListener("click", (e) => { e.preventDefault(); go(a.dataset.go); });
  const menu = (open) => { $("add-menu").hidden = !open; $("add").setAttribute("aria-expanded", String(open)); };
  $("add").addEventListener("click", () => menu($("add-menu").hidden));
  document.addEventListener("click", (e) => { if (!e.target.closest(".add")) menu(false); });
  document.addEventListener("keydown", (e) => { if (e.key === "Escape") menu(false); });
  for (const b of $("add-menu").children) b.addEventListener("click", () => { menu(false); return b.dataset.add === "user" ? newUser() : go("/agent/tickets/new"); });
  document.querySelector(".search").addEventListener("submit", (e) => { e.preventDefault(); const q = $("search").value.trim(); if (q.length > 1) go(`/agent/search/1?q=${encodeURIComponent(q)}`); });
  window.addEventListener("popstate", show);
  embed();
  await show();
  follow();
}

begin();
