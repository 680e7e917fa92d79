// The host's side of the Zendesk Apps Framework: frames of the app in their locations, and the messages between them
// and the page. Written against lib/client.js of zendesk_app_framework_sdk; what it expects is what is sent here.

const SANDBOX = "allow-scripts allow-same-origin allow-forms allow-popups allow-modals allow-downloads";

/** Errors as the SDK reads them. */
const failure = (message, name = "APIError") => ({ message, name });

/** A frame of the app, loaded or not. */
class Instance {
  constructor(host, location, box) {
    this.host = host;
    this.location = location;
    this.box = box;
    this.guid = crypto.randomUUID();
    this.frame = null;
    this.ready = false;
    this.heard = new Map();
    this.asked = new Map();
    // What this frame wants to hear of others: `client.instance(guid).on(…)`.
    this.others = new Map();
  }

  /** Loads the app, once. */
  load() {
    if (this.frame !== null || !this.host.url) return;
    const address = new URL(this.host.url);
    // What the SDK cannot do without; it gives up when either is missing.
    address.searchParams.set("origin", location.origin);
    address.searchParams.set("app_guid", this.guid);
    this.frame = document.createElement("iframe");
    Object.assign(this.frame, { src: address.href, title: `Tieline (${this.location})`, allow: "autoplay; clipboard-write; microphone" });
    this.frame.setAttribute("sandbox", SANDBOX);
    this.frame.dataset.location = this.location;
    this.frame.dataset.guid = this.guid;
    this.box.append(this.frame);
  }

  unload() {
    this.frame?.remove();
    this.frame = null;
    this.ready = false;
    this.heard.clear();
    this.others.clear();
  }

  context() {
    return { instanceGuid: this.guid, product: "support", account: { subdomain: this.host.start.account.subdomain }, location: this.location };
  }

  post(message) {
    this.frame?.contentWindow?.postMessage(JSON.stringify(message), this.host.origin);
  }

  /** Tells an event, to those who listen; everything waits for the handshake. */
  tell(event, message) {
    if (this.ready && this.heard.has(event)) this.post({ key: `zaf.${event}`, message });
    for (const other of this.host.instances.values()) {
      if (other.others.get(this.guid)?.has(event)) other.post({ key: `zaf.${event}`, message, instanceGuid: this.guid });
    }
  }

  /** Takes a subscription, to its own events or to another frame's. */
  listen(target, event, on) {
    if (target === this) return on ? this.heard.set(event, true) : this.heard.delete(event);
    const events = this.others.get(target.guid) ?? new Set();
    this.others.set(target.guid, events);
    return on ? events.add(event) : events.delete(event);
  }

  /** Asks whether something may go on; an error of the app's is its answer. */
  ask(event, message) {
    if (!this.ready || !this.heard.has(event)) return Promise.resolve(null);
    return new Promise((resolve) => {
      this.asked.set(event, resolve);
      this.post({ key: `zaf.${event}`, needsReply: true, message });
    });
  }
}

/** The app at the page. `page` does what agents see: show, notify, open. */
export class ZafHost {
  constructor(start, page) {
    this.start = start;
    this.page = page;
    this.url = start.panel;
    this.origin = this.url ? new URL(this.url).origin : null;
    this.instances = new Map();
    this.calls = [];
    window.addEventListener("message", (event) => this.hear(event));
  }

  add(location, box) {
    const instance = new Instance(this, location, box);
    this.instances.set(instance.guid, instance);
    return instance;
  }

  at(location) {
    return [...this.instances.values()].find((i) => i.location === location) ?? null;
  }

  /** Tells all frames that listen. */
  tell(event, message) {
    for (const instance of this.instances.values()) instance.tell(event, message);
  }

  hear(event) {
    const sender = [...this.instances.values()].find((i) => i.frame !== null && i.frame.contentWindow === event.source);
    if (!sender) return;
    if (event.origin !== this.origin) {
      console.error(`Blocked a frame with origin "${event.origin}" from using the Apps Framework.`);
      return;
    }
    let data;
    try {
      data = JSON.parse(event.data);
    } catch {
      return;
    }
    if (data === null || typeof data !== "object") return;
    if (data.appGuid !== sender.guid) {
      console.error("A message of the app names another app_guid than its address did.");
      return;
    }
    // An app may speak for another of its own frames.
    const target = data.instanceGuid === undefined ? sender : this.instances.get(data.instanceGuid) ?? null;
    if (typeof data.key === "string") this.keyed(sender, target, data);
    else if (sender.ready && data.id !== undefined) this.requested(sender, target, data);
  }

  keyed(sender, target, { key, message, error }) {
    if (key === "iframe.handshake") {
      sender.ready = true;
      const { app } = this.start;
      const metadata = { appId: app.id, installationId: app.installation, name: app.name, version: "1.0.0", settings: { title: app.name } };
      sender.post({ key: "zaf.app.registered", message: { metadata, context: sender.context() } });
      return;
    }
    if (!sender.ready) return;
    const [kind, name] = key.startsWith("iframe.") ? [key.slice(7, key.indexOf(":")), key.slice(key.indexOf(":") + 1)] : [key, ""];
    switch (kind) {
      case "on": sender.listen(target ?? sender, name, true); return;
      case "off": if (!(message?.subscriberCount > 0)) sender.listen(target ?? sender, name, false); return;
      case "trigger": this.note("trigger", [name, message]); target?.tell(name, message); return;
      case "reply": sender.asked.get(name)?.(error ?? null); sender.asked.delete(name); return;
      default: if (key.startsWith("request:")) this.request(sender, key, message);
    }
  }

  note(action, args) {
    this.calls.push({ action, args });
    if (this.calls.length > 500) this.calls.shift();
  }

  async requested(sender, target, { id, request, params }) {
    if (target === null) return sender.post({ id, error: failure("Could not find that instance") });
    const result = { errors: {} };
    try {
      if (request === "get") for (const path of params) this.put(result, path, this.get(target, path));
      else if (request === "set") for (const path of Object.keys(params)) this.put(result, path, undefined);
      else if (request === "invoke") {
        for (const [action, args] of Object.entries(params)) {
          this.note(action, args);
          this.put(result, action, await this.invoke(target, action, args ?? []));
        }
      } else return sender.post({ id, error: failure(`There is no request ${request}`) });
    } catch (error) {
      return sender.post({ id, error: failure(String(error?.message ?? error), "Error") });
    }
    sender.post({ id, result });
  }

  /** A value into the answer, or the error that there is none. */
  put(result, path, value) {
    if (value === undefined) result.errors[path] = { ...failure("No such Api"), path };
    else if (value instanceof Error) result.errors[path] = failure(value.message);
    else result[path] = value;
  }

  get(target, path) {
    const { agent, account, group } = this.start;
    const [head, ...rest] = path.split(".");
    const roots = {
      currentUser: { id: agent.id, email: agent.email, name: agent.name, role: agent.role, externalId: null, locale: agent.locale,
        groups: [{ id: group.id, name: group.name }], organizations: [], tags: [], avatarUrl: "", timeZone: { formattedOffset: "GMT+00:00", name: agent.time_zone } },
      currentAccount: { subdomain: account.subdomain, planName: "Suite Enterprise", timeFormat: account.time_format },
      instances: Object.fromEntries([...this.instances.values()].map((i) => [i.guid, i.context()])),
      viewport: { size: { width: target.box.clientWidth, height: target.box.clientHeight } },
    };
    return rest.reduce((at, part) => (at !== null && typeof at === "object" ? at[part] : undefined), roots[head]);
  }

  async invoke(target, action, args) {
    const bar = target.location === "top_bar";
    switch (action) {
      case "routeTo": return (await this.page.routeTo(...args)) ?? null;
      case "notify": this.page.notify(...args); return null;
      case "popover": if (!bar) return undefined; target.load(); this.page.popover(args[0]); return null;
      case "preloadPane": if (!bar) return undefined; target.load(); return null;
      case "resize": if (!bar) return undefined; this.page.resize(args[0] ?? {}); return args[0] ?? null;
      case "app.close": if (!bar) return undefined; this.page.popover("hide"); return null;
      case "instances.create": return this.page.modal(this, args[0] ?? {});
      default: return undefined;
    }
  }

  /** `client.request`: addresses of the account's own run as the agent who looks at the page. */
  async request(sender, key, given) {
    const options = typeof given === "string" ? { url: given } : given ?? {};
    const done = (kind, first) => sender.post({ key: `zaf.${key}.${kind}`, message: { responseArgs: [first, kind === "done" ? "success" : "error"] } });
    const url = String(options.url ?? "");
    this.note("request", [options.type ?? "GET", url]);
    if (!url.startsWith("/api/v2/")) return done("fail", { status: 0, statusText: "error", responseText: "Only addresses of the account are answered here." });
    const data = typeof options.data === "string" && options.data !== "" ? JSON.parse(options.data) : options.data ?? null;
    const { status, text, json } = await this.page.request({ method: options.type ?? options.method ?? "GET", url, data });
    const whole = { status, statusText: status < 400 ? "OK" : "error", responseText: text, responseJSON: json };
    if (status >= 400) done("fail", whole);
    else done("done", options.httpCompleteResponse ? whole : json ?? text);
  }
}
