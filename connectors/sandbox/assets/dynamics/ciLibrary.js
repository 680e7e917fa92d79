// A stand-in of the Channel Integration Framework's client library, for panels that the sandbox's console embeds. It
// behaves as the fact sheet (sections 4.1 to 4.3) says the real one does, its surprises included:
// nothing is defined without data-cifid and a data-crmurl that is where the script comes from; calls before
// CIFInitDone go nowhere; every call ends after ten seconds; results are mostly JSON texts; errors have three forms.
(() => {
  "use strict";
  const tag = document.querySelector('script[data-cifid="CIFMainLibrary"]');
  const host = tag?.dataset.crmurl;
  if (!host || new URL(tag.src, location.href).origin !== host) return;

  const PATIENCE_MS = 10_000;
  const pending = new Map();
  const handlers = new Map();
  let next = 0;
  let listened = false;

  /** An error as a Map: the form in which time-outs arrive. */
  const timeout = (method) =>
    new Map([["name", "TimeoutError"], ["message", `Timeout occurred as no response was received from listener window. (${method})`]]);

  function call(method, args, patience = PATIENCE_MS) {
    return new Promise((resolve, reject) => {
      const id = ++next;
      const timer = patience === null ? null : setTimeout(() => {
        pending.delete(id);
        reject(timeout(method));
      }, patience);
      pending.set(id, { resolve, reject, timer });
      parent.postMessage({ cif: "call", id, method, args }, host);
    });
  }

  /** An error of the library itself: an object with msdyn_name. */
  const wrong = (method, message) =>
    Promise.reject({ message, msdyn_name: `CIFramework_${method}`, name: "InvalidArgumentError" });

  const texts = (method, values) => {
    const bad = values.findIndex((value) => typeof value !== "string" || value === "");
    return bad < 0 ? null : wrong(method, `Parameter ${bad + 1} of ${method} must be a text that is not empty.`);
  };
  const json = (method, value) => {
    if (typeof value !== "string") return wrong(method, `${method} takes JSON as a text, not an object.`);
    try {
      JSON.parse(value);
      return null;
    } catch {
      return wrong(method, `${method} was given a text that is not JSON.`);
    }
  };

  const api = {
    setMode: (mode) => Number.isInteger(mode) ? call("setMode", [mode]) : wrong("setMode", "mode must be a number."),
    getMode: () => call("getMode", []),
    setWidth: (px) => Number.isFinite(px) && px > 0 ? call("setWidth", [px]) : wrong("setWidth", "width must be a number."),
    getWidth: () => call("getWidth", []),
    createRecord: (table, data) => texts("createRecord", [table]) ?? json("createRecord", data) ?? call("createRecord", [table, data]),
    retrieveRecord: (table, id, query) => texts("retrieveRecord", [table, id]) ?? call("retrieveRecord", [table, id, query ?? ""]),
    updateRecord: (table, id, data) => texts("updateRecord", [table, id]) ?? json("updateRecord", data) ?? call("updateRecord", [table, id, data]),
    deleteRecord: (table, id) => texts("deleteRecord", [table, id]) ?? call("deleteRecord", [table, id]),
    // A column that is not there leaves this promise without an end, time-out and all.
    searchAndOpenRecords: (table, query, searchOnly, correlationId, searchType) =>
      texts("searchAndOpenRecords", [table, query]) ?? call("searchAndOpenRecords", [table, query, searchOnly === true, correlationId, searchType], null),
    openForm: (options, parameters) =>
      json("openForm", options) ?? (parameters === undefined ? null : json("openForm", parameters)) ?? call("openForm", [options, parameters]),
    renderSearchPage: (table, text, searchType) => texts("renderSearchPage", [table]) ?? call("renderSearchPage", [table, text ?? "", searchType]),
    getEntityMetadata: (table, attributes) => texts("getEntityMetadata", [table]) ?? call("getEntityMetadata", [table, attributes ?? []]),
    getEnvironment: () => call("getEnvironment", []),
    setClickToAct: (on) => typeof on === "boolean" ? call("setClickToAct", [on]) : wrong("setClickToAct", "value must be true or false."),
    getClickToAct: () => call("getClickToAct", []),
    updateContext: (data) => call("updateContext", [data]),
    raiseEvent: (event, payload) => texts("raiseEvent", [event]) ?? call("raiseEvent", [event, payload]),
    addHandler(event, handler) {
      if (typeof handler !== "function") throw new TypeError("addHandler needs a function.");
      handlers.set(event, [...(handlers.get(event) ?? []), handler]);
      parent.postMessage({ cif: "listen", event }, host);
    },
    removeHandler(event, handler) {
      handlers.set(event, (handlers.get(event) ?? []).filter((one) => one !== handler));
    },
  };

  /** What only version 2 has; it appears when the host says that it is one. */
  const second = {
    createSession: (input) => call("createSession", [input]),
    canCreateSession: () => call("canCreateSession", []),
    // A Map, unlike everything else.
    getSession: async (id) => new Map(Object.entries(await call("getSession", [id]))),
    getFocusedSession: () => call("getFocusedSession", []),
    getAllSessions: () => call("getAllSessions", []),
    setSessionTitle: (input) => call("setSessionTitle", [input]),
    requestFocusSession: (id) => call("requestFocusSession", [id]),
    createTab: (input) => call("createTab", [input]),
    getTabs: () => call("getTabs", []),
    getFocusedTab: () => call("getFocusedTab", []),
    focusTab: (id) => call("focusTab", [id]),
    refreshTab: (id) => call("refreshTab", [id]),
    setTabTitle: (id, input) => call("setTabTitle", [id, input]),
    closeTab: (id) => call("closeTab", [id]),
    // A notification waits for a person.
    notifyEvent: (input) => call("notifyEvent", [input], null),
    cancelEvent: (token) => call("cancelEvent", [token]),
    notifyKpiBreach: (session, breached, details) => call("notifyKpiBreach", [session, breached, details]),
    notifyNewActivity: (session, count) => call("notifyNewActivity", [session, count]),
    setPresence: (text) => call("setPresence", [text]),
    getPresence: () => call("getPresence", []),
    logAnalyticsEvent: (data, name, correlationId) => call("logAnalyticsEvent", [data, name, correlationId]),
    updateConversation: (id, data) => json("updateConversation", data) ?? call("updateConversation", [id, data]),
  };

  addEventListener("message", (message) => {
    if (message.source !== parent || message.origin !== host || typeof message.data?.cif !== "string") return;
    const { cif, id, ok, value, form, version, event } = message.data;
    if (cif === "ready" && !listened) {
      listened = true;
      if (version === 2) Object.assign(api, second);
      dispatchEvent(new CustomEvent("CIFInitDone"));
    } else if (cif === "answer" && pending.has(id)) {
      const { resolve, reject, timer } = pending.get(id);
      pending.delete(id);
      clearTimeout(timer);
      if (ok) resolve(value);
      else reject(form === "text" ? JSON.stringify({ value: { errorMsg: value.message } }) : value);
    } else if (cif === "event") {
      // A handler that returns no promise breaks the chain, and those after it are not called.
      for (const handler of handlers.get(event) ?? []) {
        handler(value).then((result) => parent.postMessage({ cif: "handled", event, result }, host), () => {});
      }
    }
  });

  window.Microsoft = { ...window.Microsoft, CIFramework: api };
  parent.postMessage({ cif: "hello" }, host);
})();
