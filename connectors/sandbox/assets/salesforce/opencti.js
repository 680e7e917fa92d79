// Open CTI for Lightning as a page inside the console sees it: our own script behind the names of the real one. It
// talks to the page around it by postMessage, checks arguments as the documentation states them, and, like the real
// one, is deaf when the query string that the console appended got lost on the way.
(() => {
  "use strict";
  const query = new URLSearchParams(location.search);
  const origin = query.get("sfdcIframeOrigin") ?? query.get("sfdcIFrameOrigin");
  const connected = origin !== null && query.get("mode") === "Lightning" && window.parent !== window;
  if (!connected) {
    console.warn("Open CTI: the query string of the adapter's address was lost; calls go nowhere.");
  }

  const waiting = new Map();
  const listeners = { clickToDial: [], navigation: [] };
  let last = 0;

  window.addEventListener("message", (event) => {
    if (!connected || event.source !== window.parent || event.origin !== origin) return;
    const data = event.data;
    if (data === null || typeof data !== "object" || data.opencti !== 1) return;
    if (data.event !== undefined) {
      for (const listener of listeners[data.event] ?? []) listener(data.payload);
      return;
    }
    const callback = waiting.get(data.id);
    waiting.delete(data.id);
    if (typeof callback === "function") callback(data.answer);
  });

  function send(method, args, callback) {
    if (!connected) return;
    const id = ++last;
    waiting.set(id, callback);
    window.parent.postMessage({ opencti: 1, id, method, args }, origin);
  }

  function refuse(callback, code, description) {
    const answer = { success: false, returnValue: null, errors: [{ code, description }] };
    if (connected && typeof callback === "function") setTimeout(() => callback(answer), 0);
  }

  const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
  const isText = (value) => typeof value === "string" && value !== "";
  const isId = (value) => typeof value === "string" && /^([A-Za-z0-9]{15}|[A-Za-z0-9]{18})$/.test(value);

  const SCREENPOP_TYPE = Object.freeze({
    SOBJECT: "sobject", URL: "url", OBJECTHOME: "objecthome", LIST: "list", SEARCH: "search",
    NEW_RECORD_MODAL: "newRecordModal", FLOW: "flow",
  });
  const CALL_TYPE = Object.freeze({ INBOUND: "inbound", OUTBOUND: "outbound", INTERNAL: "internal" });

  /** What is wrong with the arguments of a screen pop, or nothing. */
  function badPop(type, params) {
    if (!Object.values(SCREENPOP_TYPE).includes(type)) return "type must be one of SCREENPOP_TYPE";
    if (!isObject(params)) return "params must be an object";
    switch (type) {
      case SCREENPOP_TYPE.SOBJECT:
        return isId(params.recordId) ? null : "params.recordId must be a record id";
      case SCREENPOP_TYPE.URL:
        return isText(params.url) && /^\/(?!\/)/.test(params.url) ? null : "params.url must be a relative path";
      case SCREENPOP_TYPE.OBJECTHOME:
        return isText(params.scope) ? null : "params.scope must name an object";
      case SCREENPOP_TYPE.LIST:
        return isText(params.listViewId) ? null : "params.listViewId must be given";
      case SCREENPOP_TYPE.SEARCH:
        return isText(params.searchString) && params.searchString.length >= 3
          ? null
          : "params.searchString must have at least 3 characters";
      case SCREENPOP_TYPE.NEW_RECORD_MODAL:
        return isText(params.entityName) ? null : "params.entityName must name an object";
      default:
        return isText(params.flowDevName) ? null : "params.flowDevName must be given";
    }
  }

  function pixels(name, min, max, args) {
    const value = args?.[name];
    if (!Number.isInteger(value) || value < min || value > max) {
      return `${name} must be a whole number from ${min} to ${max}`;
    }
    return null;
  }

  /** A method: its check, and what of its arguments travels. */
  function method(name, check, pick) {
    return (args = {}) => {
      if (!isObject(args)) throw new TypeError(`${name} takes one object`);
      const bad = check?.(args) ?? null;
      if (bad !== null) return refuse(args.callback, "INVALID_ARGUMENT", `${name}: ${bad}`);
      send(name, pick?.(args) ?? {}, args.callback);
    };
  }

  const text = (name) => (args) => (isText(args[name]) ? null : `${name} must be a text`);
  const only = (...names) => (args) => Object.fromEntries(names.map((n) => [n, args[n]]));
  const plain = (value) => JSON.parse(JSON.stringify(value ?? null));

  function listen(kind, name) {
    return (args = {}) => {
      if (typeof args.listener !== "function") throw new TypeError(`${name} needs a listener`);
      if (connected) listeners[kind].push(args.listener);
    };
  }

  const opencti = {
    SCREENPOP_TYPE,
    CALL_TYPE,
    enableClickToDial: method("enableClickToDial"),
    disableClickToDial: method("disableClickToDial"),
    onClickToDial: listen("clickToDial", "onClickToDial"),
    screenPop: method(
      "screenPop",
      (a) => badPop(a.type, a.params),
      (a) => ({ type: a.type, params: plain(a.params), defaultFieldValues: plain(a.defaultFieldValues) }),
    ),
    searchAndScreenPop: method(
      "searchAndScreenPop",
      (a) => {
        if (!("callType" in a)) return "callType is required";
        const known = a.callType === null || Object.values(CALL_TYPE).includes(String(a.callType).toLowerCase());
        return known ? null : "callType must be one of CALL_TYPE or null";
      },
      (a) => plain({
        searchParams: a.searchParams, queryParams: a.queryParams, params: a.params,
        defaultFieldValues: a.defaultFieldValues, callType: a.callType, deferred: a.deferred === true,
      }),
    ),
    saveLog: method(
      "saveLog",
      (a) => {
        if (!isObject(a.value)) return "value must be an object";
        return isText(a.value.entityApiName) || isId(a.value.Id) ? null : "value needs entityApiName or Id";
      },
      (a) => ({ value: plain(a.value) }),
    ),
    getAppViewInfo: method("getAppViewInfo"),
    onNavigationChange: listen("navigation", "onNavigationChange"),
    refreshView: method("refreshView"),
    runApex: method(
      "runApex",
      (a) => (isText(a.apexClass) && isText(a.methodName) ? null : "apexClass and methodName are required"),
      only("apexClass", "methodName", "methodParams"),
    ),
    setSoftphonePanelVisibility: method(
      "setSoftphonePanelVisibility",
      (a) => (typeof a.visible === "boolean" ? null : "visible must be true or false"),
      only("visible"),
    ),
    isSoftphonePanelVisible: method("isSoftphonePanelVisible"),
    setSoftphonePanelHeight: method("setSoftphonePanelHeight", (a) => pixels("heightPX", 240, 2560, a), only("heightPX")),
    setSoftphonePanelWidth: method("setSoftphonePanelWidth", (a) => pixels("widthPX", 200, 1920, a), only("widthPX")),
    setSoftphonePanelLabel: method("setSoftphonePanelLabel", text("label"), only("label")),
    setSoftphoneItemLabel: method("setSoftphoneItemLabel", text("label"), only("label")),
    setSoftphonePanelIcon: method("setSoftphonePanelIcon", text("key"), only("key")),
    setSoftphoneItemIcon: method("setSoftphoneItemIcon", text("key"), only("key")),
    getSoftphoneLayout: method("getSoftphoneLayout"),
    getCallCenterSettings: method("getCallCenterSettings"),
    notifyInitializationComplete: method("notifyInitializationComplete"),
  };
  window.sforce = window.sforce ?? {};
  window.sforce.opencti = Object.freeze(opencti);
})();
