// The Zendesk App Framework's protocol between an app's frame and the page around it, spoken directly: JSON strings by
// postMessage. Only what the adapter needs; docs/decisions/0004-zendesks-own-protocol.md says why Zendesk's script is not loaded.

import { panel as t } from "../shared/words";
import { originOf, within } from "./script";

/** How long the page around may take to register the app. */
const REGISTER_WAIT_MS = 10_000;
const CALL_WAIT_MS = 10_000;
const CRM = "Zendesk";
const VERSION = "2.0";

/** Where an app stands: the page around it and the id that page gave it. */
export interface Place {
  origin: string;
  appGuid: string;
}

export type Listener = (payload: unknown) => void;

export interface Zaf {
  /** Where in Zendesk this frame stands: `top_bar`, `background`, `ticket_sidebar` and so on. */
  readonly location: string;
  /** Asks for one value. */
  get(path: string): Promise<unknown>;
  /** Calls an action, of this frame or of another frame of the same app. */
  invoke(action: string, args: readonly unknown[], instance?: string): Promise<unknown>;
  on(event: string, listener: Listener): void;
  /** Raises an event at another frame of the same app. */
  trigger(event: string, data: unknown, instance: string): void;
}

/** Zendesk writes `origin` and `app_guid` into the query, or behind the hash. */
export function zafPlace(search: string, hash: string): Place | null {
  const inQuery = new URLSearchParams(search);
  const inHash = new URLSearchParams(hash.replace(/^#/u, ""));
  const say = (name: string): string | null => inQuery.get(name) ?? inHash.get(name);
  const origin = originOf(say("origin"));
  const appGuid = say("app_guid");
  return origin === null || appGuid === null || appGuid === "" ? null : { origin, appGuid };
}

type Page = Pick<Window, "addEventListener" | "removeEventListener"> & { parent: Pick<Window, "postMessage"> };

interface Said {
  key?: unknown;
  message?: unknown;
  id?: unknown;
  result?: unknown;
  error?: unknown;
}

interface Waiting {
  path: string;
  resolve: (result: unknown) => void;
  reject: (error: Error) => void;
}

/** Shakes hands and waits to be registered; nothing else may be said before. Rejects with one sentence why not. */
export async function openZaf({ origin, appGuid }: Place, page: Page): Promise<Zaf> {
  const listeners = new Map<string, Listener[]>();
  const waiting = new Map<number, Waiting>();
  let calls = 0;
  let registered: (location: string) => void = () => undefined;

  // Zendesk's own script too calls its frame by the id in the address, whatever the context says later.
  const say = (words: object, instance = appGuid): void => {
    page.parent.postMessage(JSON.stringify({ ...words, appGuid, instanceGuid: instance }), origin);
  };
  const hear = (event: MessageEvent): void => {
    if (event.origin !== origin || event.source !== page.parent) return;
    const said = read(event.data);
    if (said === null) return;
    const asked = typeof said.id === "number" ? waiting.get(said.id) : undefined;
    if (asked !== undefined) settle(asked, said);
    else if (said.key === "zaf.app.registered") registered(locationIn(said.message));
    else if (typeof said.key === "string" && said.key.startsWith("zaf."))
      for (const listener of listeners.get(said.key.slice("zaf.".length)) ?? []) listener(said.message);
  };
  const call = (request: string, params: unknown, path: string, instance?: string): Promise<unknown> => {
    calls += 1;
    const id = calls;
    const answer = new Promise((resolve, reject) => {
      waiting.set(id, { path, resolve, reject });
      say({ id, request, params }, instance);
    });
    return within(CALL_WAIT_MS, t.host.popSlow(CRM), answer).finally(() => waiting.delete(id));
  };

  page.addEventListener("message", hear);
  const answer = new Promise<string>((resolve) => {
    registered = resolve;
  });
  say({ key: "iframe.handshake", message: { version: VERSION } });
  const location = await within(REGISTER_WAIT_MS, t.host.zafSilent(origin), answer).catch((error: unknown) => {
    page.removeEventListener("message", hear);
    throw error;
  });
  return {
    location,
    get: async (path) => ((await call("get", [path], path)) as Record<string, unknown>)[path],
    invoke: (action, args, instance) => call("invoke", { [action]: args }, action, instance),
    on(event, listener) {
      const all = [...(listeners.get(event) ?? []), listener];
      listeners.set(event, all);
      say({ key: `iframe.on:${event}`, message: { subscriberCount: all.length } });
    },
    trigger(event, data, instance) {
      say({ key: `iframe.trigger:${event}`, message: { message: data } }, instance);
    },
  };
}

function read(data: unknown): Said | null {
  let said = data;
  if (typeof data === "string") {
    try {
      said = JSON.parse(data);
    } catch {
      return null;
    }
  }
  return said !== null && typeof said === "object" ? (said as Said) : null;
}

function locationIn(message: unknown): string {
  return (message as { context?: { location?: string } } | null)?.context?.location ?? "";
}

/** An answer fails as a whole, or for the one path that was asked for. */
function settle({ path, resolve, reject }: Waiting, said: Said): void {
  const result = (said.result ?? {}) as Record<string, unknown>;
  const error = said.error ?? (result["errors"] as Record<string, unknown> | undefined)?.[path];
  if (error === undefined || error === null) return resolve(result);
  const { message } = error as { message?: unknown };
  reject(
    new Error(t.host.popRefused(CRM, typeof message === "string" ? message : typeof error === "string" ? error : null)),
  );
}
