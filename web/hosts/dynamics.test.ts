import { afterEach, describe, expect, it, vi } from "vitest";
import { clicked, dynamicsHost, dynamicsOrigin, initialised, reasonIn, sessionTemplate } from "./dynamics";

const contact = { object: "contact", id: "5d5c2a5e-0000-4000-8000-000000000001" };
const form = JSON.stringify({ entityName: "contact", entityId: contact.id });

/** A stand-in of the framework: answers as it does, keeps what was asked. */
function framework(over: Partial<CIFramework> = {}): { cif: CIFramework; asked: unknown[][]; raise: Raise } {
  const asked: unknown[][] = [];
  const handlers = new Map<string, (payload: string) => Promise<void>>();
  const answer =
    (name: string, result: unknown = "") =>
    (...args: unknown[]): Promise<unknown> => {
      asked.push([name, ...args]);
      return Promise.resolve(result);
    };
  const cif: CIFramework = {
    getMode: answer("getMode", 0),
    setMode: answer("setMode"),
    setWidth: answer("setWidth"),
    openForm: answer("openForm"),
    renderSearchPage: answer("renderSearchPage"),
    setClickToAct: answer("setClickToAct"),
    addHandler(event, handler) {
      handlers.set(event, handler);
    },
    ...over,
  };
  const wrapped = Object.fromEntries(
    Object.entries(cif).map(([name, call]: [string, (...args: never[]) => unknown]) => [
      name,
      over[name as keyof CIFramework] === undefined
        ? call
        : (...args: never[]) => {
            asked.push([name, ...args]);
            return call(...args);
          },
    ]),
  ) as unknown as CIFramework;
  return { cif: wrapped, asked, raise: async (event, payload) => handlers.get(event)?.(payload) };
}
type Raise = (event: string, payload: string) => Promise<void>;

const names = (asked: unknown[][]): unknown[] => asked.map(([name]) => name);
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

afterEach(() => vi.useRealTimers());

describe("where Dynamics is", () => {
  it("is named by the address, or is the page around when that is one of Microsoft's", () => {
    expect(dynamicsOrigin("?base=https%3A%2F%2Facme.crm4.dynamics.com%2Fmain.aspx", [])).toBe(
      "https://acme.crm4.dynamics.com",
    );
    expect(dynamicsOrigin("", ["https://acme.crm.dynamics.com"])).toBe("https://acme.crm.dynamics.com");
    expect(dynamicsOrigin("", ["https://acme.crm.microsoftdynamics.us"])).toBe("https://acme.crm.microsoftdynamics.us");
    expect(dynamicsOrigin("", ["https://dynamics.com.evil.example", "https://shop.example"])).toBeNull();
    expect(dynamicsOrigin("?base=javascript:alert(1)", [])).toBeNull();
  });

  it("is waited for, and named when it never greets", async () => {
    vi.useFakeTimers();
    const page = new EventTarget();
    const greeted = initialised(page, "https://acme.crm.dynamics.com");
    page.dispatchEvent(new Event("CIFInitDone"));
    await expect(greeted).resolves.toBeUndefined();
    const silent = initialised(new EventTarget(), "https://acme.crm.dynamics.com");
    const told = expect(silent).rejects.toThrow(/acme\.crm\.dynamics\.com did not greet .*active channel provider/);
    await vi.advanceTimersByTimeAsync(10_000);
    await told;
  });
});

describe("pops in Dynamics", () => {
  it("opens a record's form, with texts as the framework wants them", async () => {
    const { cif, asked } = framework();
    await dynamicsHost(cif, null).pop({ kind: "record", record: contact });
    expect(asked).toContainEqual(["openForm", form, "{}"]);
  });

  it("opens a new record with its fields, and a search", async () => {
    const { cif, asked } = framework();
    const host = dynamicsHost(cif, null);
    await host.pop({ kind: "new_record", object: "contact", fields: [["lastname", "Okafor"]] });
    await host.pop({ kind: "search", text: "Okafor & Sons" });
    expect(asked).toContainEqual(["openForm", '{"entityName":"contact"}', '{"lastname":"Okafor"}']);
    expect(asked).toContainEqual(["renderSearchPage", "contact", "Okafor & Sons"]);
  });

  it("opens a tab where there are sessions, and a form where a tab is refused", async () => {
    const createTab = vi.fn(() => Promise.resolve("tab-1"));
    const multi = { createSession: () => Promise.resolve("s-1"), canCreateSession: () => Promise.resolve(true) };
    const { cif, asked } = framework({ ...multi, createTab });
    const host = dynamicsHost(cif, null);
    await host.pop({ kind: "record", record: contact });
    expect(asked).toContainEqual([
      "createTab",
      {
        templateName: "msdyn_entityrecord",
        templateParameters: { entityName: "contact", entityId: contact.id },
        isFocused: true,
      },
    ]);
    expect(names(asked)).not.toContain("openForm");
    createTab.mockImplementation(() => Promise.reject({ message: "not your session", msdyn_name: "E" }));
    await host.pop({ kind: "record", record: contact });
    await host.pop({ kind: "record", record: contact });
    expect(names(asked).filter((name) => name === "createTab")).toHaveLength(3);
    expect(names(asked).filter((name) => name === "openForm")).toHaveLength(2);
  });

  it("waits for a tab that never comes once, not with every record", async () => {
    vi.useFakeTimers();
    const { cif, asked } = framework({
      createSession: () => Promise.resolve("s-1"),
      createTab: () => new Promise(() => undefined),
    });
    const host = dynamicsHost(cif, null);
    const first = host.pop({ kind: "record", record: contact });
    await vi.advanceTimersByTimeAsync(10_000);
    await first;
    await host.pop({ kind: "record", record: contact });
    expect(names(asked).filter((name) => name === "createTab")).toHaveLength(1);
    expect(names(asked).filter((name) => name === "openForm")).toHaveLength(2);
  });

  it("opens a session only from a template that the address names, and only while one is free", async () => {
    let free = true;
    const { cif, asked } = framework({
      canCreateSession: () => Promise.resolve(free),
      createSession: () => Promise.resolve("s-1"),
      createTab: () => Promise.resolve("t-1"),
    });
    const host = dynamicsHost(cif, sessionTemplate("?base=x&session=acme_contact"));
    await host.pop({ kind: "record", record: contact });
    expect(asked).toContainEqual([
      "createSession",
      { templateName: "acme_contact", templateParameters: { entityName: "contact", entityId: contact.id } },
    ]);
    expect(names(asked)).not.toContain("createTab");
    free = false;
    await host.pop({ kind: "record", record: contact });
    expect(names(asked).filter((name) => name === "createSession")).toHaveLength(1);
    expect(names(asked)).toContain("createTab");
  });

  it("says in one sentence why not, and gives up on a call that never settles", async () => {
    const refusing = framework({ openForm: () => Promise.reject(new Map([["message", "Record is gone"]])) });
    await expect(dynamicsHost(refusing.cif, null).pop({ kind: "record", record: contact })).rejects.toThrow(
      "Dynamics did not open it: Record is gone",
    );
    vi.useFakeTimers();
    const silent = framework({ openForm: () => new Promise(() => undefined) });
    const told = expect(dynamicsHost(silent.cif, null).pop({ kind: "record", record: contact })).rejects.toThrow(
      "Dynamics did not answer in time.",
    );
    await vi.advanceTimersByTimeAsync(10_000);
    await told;
  });

  it("finds the words in every shape of an error", () => {
    expect(reasonIn("plain words")).toBe("plain words");
    expect(reasonIn('{"value":{"errorMsg":"deep words"}}')).toBe("deep words");
    expect(reasonIn({ message: "", errorMsg: "second words" })).toBe("second words");
    expect(reasonIn(new Error("an error's words"))).toBe("an error's words");
    expect(reasonIn({ error: new Map([["message", "inner words"]]) })).toBe("inner words");
    expect(reasonIn({})).toBeNull();
    expect(reasonIn(undefined)).toBeNull();
    expect(reasonIn("")).toBeNull();
  });
});

describe("the panel's place in Dynamics", () => {
  it("is opened once per ring, and never when it stands open", async () => {
    const { cif, asked, raise } = framework();
    const host = dynamicsHost(cif, null);
    await settle();
    host.notify({ ringing: true, unread: 0 });
    host.notify({ ringing: true, unread: 1 });
    expect(asked.filter(([name]) => name === "setMode")).toEqual([["setMode", 1]]);
    host.notify({ ringing: false, unread: 1 });
    await raise("onmodechanged", '{"value":1}');
    host.notify({ ringing: true, unread: 1 });
    expect(asked.filter(([name]) => name === "setMode")).toHaveLength(1);
  });

  it("asks for the mode at the start, because the first change is not told", async () => {
    const { cif, asked } = framework({ getMode: () => Promise.resolve("1") });
    const host = dynamicsHost(cif, null);
    await settle();
    host.notify({ ringing: true, unread: 0 });
    expect(names(asked)).toContain("getMode");
    expect(names(asked)).not.toContain("setMode");
  });

  it("takes a width within what the framework allows, and survives a refusal", async () => {
    const { cif, asked } = framework({ setWidth: () => Promise.reject("not on the home session") });
    const host = dynamicsHost(cif, null);
    host.resize({ width: 10, height: 10 });
    await settle();
    expect(asked).toContainEqual(["setWidth", 300]);
  });
});

describe("numbers clicked in Dynamics", () => {
  const payload = {
    value: " 619-555-0129",
    name: "mobilephone",
    format: "Phone",
    entityLogicalName: "contact",
    entityId: "{5D5C2A5E-0000-4000-8000-000000000001}",
    recordTitle: "Alex Baker",
  };

  it("are asked for once somebody listens, and come with their record", async () => {
    const { cif, asked, raise } = framework();
    const host = dynamicsHost(cif, null);
    await settle();
    expect(names(asked)).not.toContain("setClickToAct");
    const heard: unknown[] = [];
    const stop = host.onClickToDial((dialled) => heard.push(dialled));
    await settle();
    expect(asked).toContainEqual(["setClickToAct", true]);
    await raise("onclicktoact", JSON.stringify(payload));
    stop();
    await raise("onclicktoact", JSON.stringify(payload));
    expect(heard).toEqual([{ number: "619-555-0129", record: contact }]);
  });

  it("are left alone when they make no sense", () => {
    expect(clicked("no JSON")).toBeNull();
    expect(clicked('{"value":""}')).toBeNull();
    expect(clicked('{"value":"1","entityId":7}')).toEqual({ number: "1", record: null });
  });
});
