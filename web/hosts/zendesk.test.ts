import { afterEach, describe, expect, it, vi } from "vitest";
import type { PopTarget } from "../shared/types.gen";
import { openZaf, type Zaf, zafPlace } from "./zaf";
import { pushed, relay, routeTo, zendeskHost } from "./zendesk";

const ORIGIN = "https://acme.zendesk.com";
const APP = "app-1";
const place = { origin: ORIGIN, appGuid: APP };

interface Said {
  key?: string;
  message?: unknown;
  id?: number;
  request?: string;
  params?: unknown;
  appGuid: string;
  instanceGuid: string;
}

/** A stand-in of the page around: hears what the frame says, and says what a test wants. */
class FakeZendesk {
  readonly heard: Said[] = [];
  /** Answers to requests, by `get:path` or `invoke:action`; what is missing is never answered. */
  answers: Record<string, unknown> = {};
  readonly #page = new EventTarget();
  readonly parent = {
    postMessage: (text: string, target: string): void => {
      expect(target).toBe(ORIGIN);
      const said = JSON.parse(text) as Said;
      this.heard.push(said);
      if (said.request !== undefined) this.#answer(said);
    },
  };
  readonly page = Object.assign(this.#page, { parent: this.parent }) as unknown as Parameters<typeof openZaf>[1];

  say(words: object, from: { origin?: string; source?: unknown } = {}): void {
    const event = Object.assign(new Event("message"), {
      data: JSON.stringify(words),
      origin: from.origin ?? ORIGIN,
      source: from.source ?? this.parent,
    });
    this.#page.dispatchEvent(event);
  }

  register(location = "top_bar", instanceGuid = "i-panel"): void {
    this.say({ key: "zaf.app.registered", message: { metadata: {}, context: { instanceGuid, location } } });
  }

  async opened(location?: string): Promise<Zaf> {
    const zaf = openZaf(place, this.page);
    this.register(location);
    return zaf;
  }

  invoked(): unknown[] {
    return this.heard.flatMap(({ request, params }) => (request === "invoke" ? [params] : []));
  }

  #answer({ id, request, params }: Said): void {
    const name = `${request}:${Array.isArray(params) ? params[0] : Object.keys(params as object)[0]}`;
    if (name in this.answers) queueMicrotask(() => this.say({ id, ...(this.answers[name] as object) }));
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

afterEach(() => vi.useRealTimers());

describe("Zendesk's protocol", () => {
  it("finds its place in the query or behind the hash, and only with both words", () => {
    expect(zafPlace("?origin=https%3A%2F%2Facme.zendesk.com&app_guid=app-1&connection=zd", "")).toEqual(place);
    expect(zafPlace("?connection=zd", "#origin=https://acme.zendesk.com&app_guid=app-1")).toEqual(place);
    expect(zafPlace("?origin=https://acme.zendesk.com", "")).toBeNull();
    expect(zafPlace("?app_guid=app-1", "")).toBeNull();
    expect(zafPlace("?origin=nonsense&app_guid=app-1", "")).toBeNull();
  });

  it("shakes hands first and says nothing else before it is registered", async () => {
    const zendesk = new FakeZendesk();
    const opening = openZaf(place, zendesk.page);
    await settle();
    expect(zendesk.heard).toEqual([
      { key: "iframe.handshake", message: { version: "2.0" }, appGuid: APP, instanceGuid: APP },
    ]);
    zendesk.register();
    const zaf = await opening;
    expect(zaf.location).toBe("top_bar");
    zaf.on("voice.dialout", () => undefined);
    expect(zendesk.heard.at(-1)).toEqual({
      key: "iframe.on:voice.dialout",
      message: { subscriberCount: 1 },
      appGuid: APP,
      instanceGuid: APP,
    });
  });

  it("hears the page around only, from its origin only", async () => {
    const zendesk = new FakeZendesk();
    let open = false;
    void openZaf(place, zendesk.page).then(() => {
      open = true;
    });
    const registered = { key: "zaf.app.registered", message: { context: { location: "top_bar" } } };
    zendesk.say(registered, { origin: "https://evil.example" });
    zendesk.say(registered, { source: {} });
    await settle();
    expect(open).toBe(false);
    zendesk.say(registered);
    await settle();
    expect(open).toBe(true);
  });

  it("says who kept silent", async () => {
    vi.useFakeTimers();
    const told = expect(openZaf(place, new FakeZendesk().page)).rejects.toThrow(/acme\.zendesk\.com did not greet/);
    await vi.advanceTimersByTimeAsync(10_000);
    await told;
  });

  it("gives each request its own answer, and each failure its words", async () => {
    const zendesk = new FakeZendesk();
    const zaf = await zendesk.opened();
    zendesk.answers = {
      "get:currentUser": { result: { currentUser: { id: 7 }, errors: {} } },
      "get:ticket": { result: { errors: { ticket: { message: "not in this location" } } } },
      "invoke:routeTo": { error: { name: "Error", message: "no such ticket" } },
    };
    await expect(Promise.all([zaf.get("currentUser"), zaf.get("currentUser")])).resolves.toEqual([
      { id: 7 },
      { id: 7 },
    ]);
    await expect(zaf.get("ticket")).rejects.toThrow("Zendesk did not open it: not in this location");
    await expect(zaf.invoke("routeTo", ["ticket", "9"])).rejects.toThrow("Zendesk did not open it: no such ticket");
    const ids = zendesk.heard.flatMap(({ id }) => (id === undefined ? [] : [id]));
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("gives up on a request that is never answered", async () => {
    const zaf = await new FakeZendesk().opened();
    vi.useFakeTimers();
    const told = expect(zaf.invoke("routeTo", ["ticket", "9"])).rejects.toThrow("Zendesk did not answer in time.");
    await vi.advanceTimersByTimeAsync(10_000);
    await told;
  });
});

describe("pops in Zendesk", () => {
  it("go to users and tickets, with ids too big for a number", () => {
    const record = { object: "user", id: "33144692244371987" };
    expect(routeTo({ kind: "record", record })).toEqual(["user", "33144692244371987"]);
    expect(routeTo({ kind: "record", record: { object: "ticket", id: "27" } })).toEqual(["ticket", "27"]);
    expect(() => routeTo({ kind: "record", record: { object: "lead", id: "27" } })).toThrow("no page to open");
    expect(() => routeTo({ kind: "record", record: { object: "user", id: "../admin" } })).toThrow("no page to open");
  });

  it("search for somebody new by what is known best", () => {
    const fields: [unknown, unknown][] = [
      ["name", "Grace Okafor"],
      ["phone", "+44 7700 900412"],
    ];
    expect(routeTo({ kind: "new_record", object: "user", fields })).toEqual(["search", "+44 7700 900412"]);
    expect(routeTo({ kind: "new_record", object: "ticket", fields: [] })).toEqual(["ticket", "new"]);
    expect(routeTo({ kind: "search", text: "okafor" })).toEqual(["search", "okafor"]);
    expect(() => routeTo({ kind: "new_record", object: "user", fields: [] })).toThrow("no page to open");
  });

  it("come by the daemon's push too, and open once where they come by both ways", async () => {
    const zendesk = new FakeZendesk();
    zendesk.answers = { "invoke:routeTo": { result: { errors: {} } } };
    let now = 1_000;
    const host = zendeskHost(await zendesk.opened(), () => now);
    const target: PopTarget = { kind: "record", record: { object: "user", id: "7" } };
    const push = { key: "zaf.api_notification.tieline_pop", message: { body: { version: 1, target }, sender: 1 } };
    await host.pop(target);
    zendesk.say(push);
    await settle();
    expect(zendesk.invoked()).toEqual([{ routeTo: ["user", "7"] }]);
    now += 60_000;
    zendesk.say(push);
    await settle();
    expect(zendesk.invoked()).toHaveLength(2);
  });

  it("takes nothing from a push but what Zendesk has a page for", async () => {
    const ticket: PopTarget = { kind: "record", record: { object: "ticket", id: "27" } };
    expect(pushed({ body: JSON.stringify({ version: 1, target: ticket }) })).toEqual(ticket);
    expect(pushed({ body: { target: { kind: "search", text: "okafor" } } })).toEqual({
      kind: "search",
      text: "okafor",
    });
    for (const nonsense of ["no JSON", { target: { kind: "record" } }, { target: { kind: "url", text: "x" } }, 7, null])
      expect(pushed({ body: nonsense })).toBeNull();
    expect(pushed(null)).toBeNull();
    const zendesk = new FakeZendesk();
    zendeskHost(await zendesk.opened());
    for (const record of [
      { object: "nav_bar", id: "1" },
      { object: "ticket", id: "1/../2" },
    ])
      zendesk.say({
        key: "zaf.api_notification.tieline_pop",
        message: { body: { target: { kind: "record", record } } },
      });
    await settle();
    expect(zendesk.invoked()).toEqual([]);
  });
});

describe("the panel's place in Zendesk", () => {
  it("opens and tells once per ring", async () => {
    const zendesk = new FakeZendesk();
    const host = zendeskHost(await zendesk.opened());
    host.notify({ ringing: true, unread: 0 });
    host.notify({ ringing: true, unread: 1 });
    expect(zendesk.invoked()).toEqual([
      { popover: ["show"] },
      { notify: [expect.stringContaining("ringing"), "notice", 6_000] },
    ]);
    host.resize({ width: 400.4, height: 560 });
    expect(zendesk.invoked().at(-1)).toEqual({ resize: [{ width: "400px", height: "560px" }] });
  });

  it("hears a clicked number once, whichever way it comes", async () => {
    const zendesk = new FakeZendesk();
    let now = 1_000;
    const host = zendeskHost(await zendesk.opened(), () => now);
    const heard: string[] = [];
    host.onClickToDial(({ number }) => heard.push(number));
    zendesk.say({ key: "zaf.voice.dialout", message: { number: "+43 1 555 0142" } });
    zendesk.say({ key: "zaf.tieline.dialout", message: { message: { number: "+43 1 555 0142" } } });
    zendesk.say({ key: "zaf.voice.dialout", message: { number: "" } });
    expect(heard).toEqual(["+43 1 555 0142"]);
    now += 10_000;
    zendesk.say({ key: "zaf.voice.dialout", message: { number: "+43 1 555 0142" } });
    expect(heard).toHaveLength(2);
  });
});

describe("the background frame", () => {
  it("wakes the panel in the top bar and hands over clicked numbers", async () => {
    const zendesk = new FakeZendesk();
    const instances = { "i-back": { location: "background" }, "i-panel": { location: "top_bar" } };
    zendesk.answers = { "get:instances": { result: { instances, errors: {} } } };
    relay(await zendesk.opened("background"));
    await settle();
    expect(zendesk.heard.at(-1)).toMatchObject({
      request: "invoke",
      params: { preloadPane: [] },
      instanceGuid: "i-panel",
    });
    zendesk.say({ key: "zaf.voice.dialout", message: { number: "+43 1 555 0142" } });
    await settle();
    expect(zendesk.heard).toContainEqual({
      key: "iframe.trigger:tieline.dialout",
      message: { message: { number: "+43 1 555 0142" } },
      appGuid: APP,
      instanceGuid: "i-panel",
    });
    expect(zendesk.heard.at(-1)).toMatchObject({ params: { popover: ["show"] }, instanceGuid: "i-panel" });
  });

  it("looks again for a top bar that comes later", async () => {
    const zendesk = new FakeZendesk();
    zendesk.answers = { "get:instances": { result: { instances: {}, errors: {} } } };
    const waits: Array<() => void> = [];
    relay(await zendesk.opened("background"), (_ms, then) => waits.push(then));
    await settle();
    expect(waits).toHaveLength(1);
    zendesk.answers = { "get:instances": { result: { instances: { "i-panel": { location: "top_bar" } } } } };
    waits[0]?.();
    await settle();
    expect(zendesk.invoked()).toEqual([{ preloadPane: [] }]);
    expect(waits).toHaveLength(1);
  });
});
