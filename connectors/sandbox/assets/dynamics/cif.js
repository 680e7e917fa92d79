// The host's side of the Channel Integration Framework: what a panel asks for, done in the page. `ciLibrary.js` is
// the other side. Knows no element of the page; everything visible goes through `ui`.

/** Templates are known by their publisher's prefix; a name without one is not there. */
const known = (name) => typeof name === "string" && /^[a-z][a-z0-9]{2,7}_[a-z0-9_]+$/i.test(name);
const SESSIONS_MAX = 10;

/** An error as the framework's answers carry it. `form` says in which of its shapes the panel gets it. */
export class CifError extends Error {
  constructor(name, message, form = "object") {
    super(message);
    this.name = name;
    this.form = form;
  }
}

const bare = (id) => String(id).replace(/[{}]/g, "").toLowerCase();
/** Template parameters come as an object or as a list of names and values. */
const parameters = (given) => given instanceof Map ? Object.fromEntries(given)
  : Array.isArray(given) ? Object.fromEntries(given.map((one) => [one.name, one.value])) : given ?? {};

/** The record that template parameters point at. */
export function recordIn(given) {
  const all = parameters(given);
  const table = all.entityName ?? all.etn ?? all.entityLogicalName;
  const id = all.entityId ?? all.id ?? all.recordId;
  return table && id ? { table, id: bare(id) } : null;
}

/** Query text of `searchAndOpenRecords` or `retrieveRecord`, as options. */
function optionsOf(query) {
  const options = new Map();
  for (const part of String(query).replace(/^\?/, "").split("&")) {
    const at = part.indexOf("=");
    if (at > 0) options.set(part.slice(0, at).trim(), part.slice(at + 1));
  }
  return options;
}

/** The framework over a page. `ui` shows, `api` reads and writes rows, `state` is the page's. */
export function framework(ui, api, state) {
  const own = { clickToAct: false, context: {}, presence: "Available", asked: [] };
  const unknown = (table) => new CifError("InvalidEntity", `The table ${table} is not there.`);
  const need = (table) => {
    if (!state.tables[table]) throw unknown(table);
    return state.tables[table];
  };
  const session = (id) => {
    const found = state.sessions.find((one) => one.id === id);
    if (!found) throw new CifError("InvalidSessionId", `There is no session ${id}.`);
    return found;
  };
  const template = (input) => {
    if (!known(input?.templateName)) {
      throw new CifError("TemplateNotFound", `The template ${input?.templateName} is not there.`);
    }
    return input;
  };
  const tab = (id) => {
    const found = ui.focused().tabs.find((one) => one.id === id);
    if (!found) throw new CifError("InvalidTabId", `There is no tab ${id}.`);
    return found;
  };
  const bad = (error) => {
    throw error instanceof CifError ? error : new CifError("InvalidRequest", error.message, "text");
  };

  const methods = {
    setMode(mode) {
      const most = state.version === 2 ? 2 : 1;
      if (mode < 0 || mode > most) throw new CifError("InvalidMode", `mode must be 0 to ${most}.`);
      if (state.version === 2 && ui.focused().home) throw new CifError("NotSupported", "setMode is not supported on the home session.");
      ui.setMode(mode);
    },
    getMode: () => state.mode,
    setWidth(px) {
      if (state.mode !== 1) throw new CifError("InvalidMode", "The panel is not docked.");
      ui.setWidth(px);
    },
    getWidth: () => state.width,
    async createRecord(table, data) {
      const made = await api.create(need(table).set, JSON.parse(data)).catch(bad);
      ui.refresh();
      return JSON.stringify({ ...made, id: made[state.tables[table].id] });
    },
    retrieveRecord: async (table, id, query) =>
      JSON.stringify(await api.get(`${need(table).set}(${bare(id)})`, optionsOf(query)).catch(bad)),
    async updateRecord(table, id, data) {
      await api.update(need(table).set, bare(id), JSON.parse(data)).catch(bad);
      ui.refresh();
      return JSON.stringify({ id: bare(id) });
    },
    async deleteRecord(table, id) {
      await api.remove(need(table).set, bare(id)).catch(bad);
      ui.refresh();
      return JSON.stringify({ id: bare(id) });
    },
    async searchAndOpenRecords(table, query, only) {
      const options = optionsOf(query);
      const text = options.get("$search");
      options.delete("$search");
      let rows;
      try {
        rows = await api.list(need(table).set, options);
      } catch (error) {
        if (error instanceof CifError) throw error;
        // The real thing calls nobody back when a column is not there.
        return new Promise(() => {});
      }
      if (text) {
        const wanted = decodeURIComponent(text).toLowerCase();
        rows = rows.filter((row) => JSON.stringify(row).toLowerCase().includes(wanted));
      }
      if (!only) {
        if (rows.length === 1 && !text) ui.open({ kind: "record", table, id: rows[0][state.tables[table].id] });
        else ui.open({ kind: "search", text: text ? decodeURIComponent(text) : "", table, rows: text ? null : rows });
      }
      return JSON.stringify(Object.fromEntries(rows.map((row, n) => [n, row])));
    },
    async openForm(options, given) {
      const { entityName: table, entityId: id, useQuickCreateForm: quick } = JSON.parse(options);
      need(table);
      const values = given === undefined ? {} : JSON.parse(given);
      if (id) {
        await api.get(`${state.tables[table].set}(${bare(id)})`, new Map()).catch(bad);
        ui.open({ kind: "record", table, id: bare(id) });
        return JSON.stringify({});
      }
      if (quick) return JSON.stringify({ savedEntityReference: await ui.quickCreate(table, values) });
      ui.open({ kind: "new", table, values });
      return JSON.stringify({});
    },
    renderSearchPage(table, text) {
      need(table);
      ui.open({ kind: "search", text, table });
    },
    async getEntityMetadata(table, attributes) {
      need(table);
      const path = `EntityDefinitions(LogicalName='${table}')`;
      const all = (await api.get(`${path}/Attributes`, new Map())).value;
      const wanted = [attributes].flat().map(String);
      const chosen = wanted.length ? all.filter((one) => wanted.includes(one.LogicalName)) : all;
      return JSON.stringify({ ...(await api.get(path, new Map())), Attributes: chosen });
    },
    getEnvironment: () => JSON.stringify(ui.environment()),
    setClickToAct(on) {
      own.clickToAct = on;
      ui.setClickToAct(on);
    },
    getClickToAct: () => own.clickToAct,
    updateContext: (data) => void Object.assign(own.context, data),
    raiseEvent: (event, payload) => tell(event, payload),
  };

  const second = {
    createSession(input) {
      template(input);
      if (state.sessions.length - 1 >= SESSIONS_MAX) throw new CifError("SessionLimitReached", `At most ${SESSIONS_MAX} sessions can be open.`);
      return ui.createSession(input.title ?? null, recordIn(input.templateParameters), parameters(input.templateParameters));
    },
    canCreateSession: () => state.sessions.length - 1 < SESSIONS_MAX,
    getSession(id) {
      const { context, conversationId, title } = session(id);
      return { sessionId: id, context, conversationId, title, isFocused: ui.focused().id === id };
    },
    getFocusedSession: () => ui.focused().id,
    getAllSessions: () => state.sessions.map((one) => one.id),
    setSessionTitle(input) {
      const words = Object.entries(input).filter(([name]) => name !== "sessionId").map(([, value]) => value);
      ui.titleSession(session(input.sessionId), words.join(" "));
    },
    requestFocusSession: (id) => ui.callAttention(session(id)),
    createTab(input) {
      template(input);
      const given = parameters(input.templateParameters);
      const record = recordIn(given);
      if (input.templateName === "msdyn_entityrecord" && !record) {
        throw new CifError("InvalidParameter", "msdyn_entityrecord needs entityName and entityId.");
      }
      if (record) need(record.table);
      return ui.createTab(record ? { kind: "record", ...record } : { kind: "page", name: input.templateName, given }, input.isFocused !== false);
    },
    getTabs: () => ui.focused().tabs.map((one) => one.id),
    getFocusedTab: () => ui.focused().active,
    focusTab: (id) => ui.focusTab(tab(id)),
    refreshTab: (id) => ui.refresh(tab(id)),
    setTabTitle: (id, input) => ui.titleTab(tab(id), typeof input === "string" ? input : Object.values(input).join(" ")),
    closeTab(id) {
      if (tab(id).fixed) throw new CifError("InvalidTabId", "This tab cannot be closed.");
      ui.closeTab(tab(id));
    },
    async notifyEvent(input) {
      if (!known(input?.templateName)) {
        throw new CifError("NotificationTemplateNotFoundError", `The template ${input?.templateName} is not there.`);
      }
      return JSON.stringify(await ui.notify(input.templateName, parameters(input.templateParameters), input.cancellationToken));
    },
    cancelEvent: (token) => ui.cancel(token),
    notifyKpiBreach: (id, breached) => breached && ui.callAttention(session(id)),
    notifyNewActivity: (id) => ui.callAttention(session(id)),
    setPresence(text) {
      own.presence = text;
      tell("onPresenceChange", JSON.stringify({ presenceInfo: { presenceText: text } }));
    },
    getPresence: () => own.presence,
    logAnalyticsEvent: (data) => JSON.stringify({ data }),
    async updateConversation(id, data) {
      const found = state.sessions.find((one) => one.conversationId === bare(id));
      if (!found) throw new CifError("InvalidConversation", `There is no conversation ${id}.`);
      Object.assign(found.context, JSON.parse(data));
      return JSON.stringify({ id: bare(id) });
    },
  };

  let frame = null;
  let ready = false;
  const send = (message) => frame?.contentWindow?.postMessage(message, frame.dataset.origin);
  /** Tells the panel of an event; an event that nobody listens to is lost. */
  const tell = (event, payload) => ready && send({ cif: "event", event, value: payload });

  async function answer(id, method, args) {
    const all = state.version === 2 ? { ...methods, ...second } : methods;
    own.asked.push({ method, args });
    try {
      if (!all[method]) throw new CifError("NotSupported", `${method} is not part of this version.`);
      send({ cif: "answer", id, ok: true, value: await all[method](...args) });
    } catch (error) {
      const value = { message: error.message, msdyn_name: `${error.name}_${method}`, name: error.name };
      send({ cif: "answer", id, ok: false, form: error.form ?? "object", value });
    }
  }

  addEventListener("message", ({ source, origin, data }) => {
    if (!frame || source !== frame.contentWindow || origin !== frame.dataset.origin || typeof data?.cif !== "string") return;
    if (data.cif === "hello") {
      ready = false;
      // Whoever calls when the script has only just loaded is too early.
      setTimeout(() => {
        ready = true;
        send({ cif: "ready", version: state.version });
      }, 300);
    } else if (data.cif === "call" && ready) answer(data.id, data.method, data.args ?? []);
  });

  return {
    /** The panel's frame; only it is heard. */
    attach(element) {
      frame = element;
      ready = false;
    },
    tell,
    own,
  };
}
