// Zendesk: the panel is an app of the top bar. A second, invisible frame of the same address in the location
// `background` is loaded with Zendesk itself; it wakes the panel and hands over what reaches only it.

import type { PopTarget } from "../shared/types.gen";
import { panel as t } from "../shared/words";
import type { Attention, Dialled, Host } from "./host";
import { openZaf, type Place, type Zaf } from "./zaf";

/** Of a push by the daemon's Zendesk connector, through `POST /api/v2/apps/notify`. */
export const POP_EVENT = "api_notification.tieline_pop";
const DIAL_EVENT = "voice.dialout";
/** From the background frame to the panel. */
const RELAYED_DIAL = "tieline.dialout";
const PANEL_LOCATION = "top_bar";
const TOAST_MS = 6_000;
/** One click, or one pop, reaches us by several ways within this time. */
const ECHO_MS = 3_000;
/** The top bar may come after the background frame, so it is looked for again. */
const WAKE_AGAIN_MS = [1_000, 3_000, 10_000, 30_000];

/** The objects that Zendesk's own pages can show. */
const ROUTES = ["user", "ticket", "organization"];

/** Registers with the page around and gives the adapter; nothing when this frame is the one in the background. */
export async function zendesk(place: Place): Promise<Host | null> {
  const zaf = await openZaf(place, window);
  if (zaf.location !== "background") return zendeskHost(zaf);
  relay(zaf);
  return null;
}

/** The adapter over the protocol. */
export function zendeskHost(zaf: Zaf, now: () => number = Date.now): Host {
  const listeners = new Set<(dialled: Dialled) => void>();
  const heard = echoes(now);
  const shown = echoes(now);
  let dials = false;
  let ringing = false;
  const quietly = (action: string, ...args: unknown[]): void => {
    zaf.invoke(action, args).catch(() => undefined);
  };
  const dial = (payload: unknown): void => {
    const number = numberIn(payload);
    if (number === null || heard(number)) return;
    for (const listener of listeners) listener({ number, record: null });
  };
  const go = async (route: string[]): Promise<void> => {
    await zaf.invoke("routeTo", route);
  };
  zaf.on(POP_EVENT, (payload) => {
    const target = pushed(payload);
    const route = target === null ? null : routeOrNull(target);
    // The same pop may have come over the panel's own socket.
    if (route !== null && !shown(route.join(" "))) go(route).catch(() => undefined);
  });
  return {
    kind: "zendesk",
    canPop: true,
    async pop(target) {
      const route = routeTo(target);
      shown(route.join(" "));
      await go(route);
    },
    onClickToDial(listener) {
      listeners.add(listener);
      if (!dials) for (const event of [DIAL_EVENT, RELAYED_DIAL]) zaf.on(event, dial);
      dials = true;
      return () => listeners.delete(listener);
    },
    // A top bar app has no line of its own to write into.
    saveContext: () => undefined,
    notify(attention: Attention) {
      // Once per ring, so that an agent who closes the panel is not fought with.
      if (attention.ringing && !ringing) {
        quietly("popover", "show");
        quietly("notify", t.host.ringing, "notice", TOAST_MS);
      }
      ringing = attention.ringing;
    },
    resize({ width, height }) {
      quietly("resize", { width: `${Math.round(width)}px`, height: `${Math.round(height)}px` });
    },
  };
}

/** Wakes the panel in the top bar, which Zendesk loads only when clicked, and hands over clicks on numbers. */
export function relay(zaf: Zaf, after: (ms: number, then: () => void) => void = setTimer): void {
  let panel: string | null = null;
  const wake = async ([next, ...later]: number[]): Promise<void> => {
    panel = await panelOf(zaf).catch(() => null);
    if (panel !== null) await zaf.invoke("preloadPane", [], panel).catch(() => undefined);
    else if (next !== undefined) after(next, () => void wake(later));
  };
  zaf.on(DIAL_EVENT, async (payload) => {
    panel ??= await panelOf(zaf).catch(() => null);
    const number = numberIn(payload);
    if (panel === null || number === null) return;
    zaf.trigger(RELAYED_DIAL, { number }, panel);
    zaf.invoke("popover", ["show"], panel).catch(() => undefined);
  });
  void wake(WAKE_AGAIN_MS);
}

const setTimer = (ms: number, then: () => void): void => void setTimeout(then, ms);

async function panelOf(zaf: Zaf): Promise<string | null> {
  const instances = (await zaf.get("instances")) as Record<string, { location?: string } | null>;
  const found = Object.entries(instances ?? {}).find(([, instance]) => instance?.location === PANEL_LOCATION);
  return found?.[0] ?? null;
}

/** The page of Zendesk's for a target. There is no form to fill in for a new user, so what is known is searched for. */
export function routeTo(target: PopTarget): string[] {
  switch (target.kind) {
    case "record": {
      const { object, id } = target.record;
      if (!ROUTES.includes(object) || !/^\d+$/u.test(id)) throw new Error(t.host.noRoute(object));
      // As text: ids go beyond what a JavaScript number holds.
      return [object, id];
    }
    case "new_record": {
      if (target.object === "ticket") return ["ticket", "new"];
      const known = ["email", "phone", "name"].map((name) => target.fields.find((field) => field?.[0] === name)?.[1]);
      const text = known.find((value): value is string => typeof value === "string" && value.trim() !== "");
      if (text === undefined) throw new Error(t.host.noRoute(target.object));
      return ["search", text];
    }
    case "search":
      return ["search", target.text];
  }
}

function routeOrNull(target: PopTarget): string[] | null {
  try {
    return routeTo(target);
  } catch {
    return null;
  }
}

/**
 * What the daemon's Zendesk connector pushes: `{ body: { version: 1, target } }`, the body as JSON text or as it is. A
 * push comes by way of the account, where others can send too, so it may name records and searches and nothing else.
 */
export function pushed(payload: unknown): PopTarget | null {
  let body = (payload as { body?: unknown } | null)?.body;
  if (typeof body === "string") {
    try {
      body = JSON.parse(body);
    } catch {
      return null;
    }
  }
  const target = (body as { target?: Record<string, unknown> } | null)?.target;
  switch (target?.["kind"]) {
    case "record": {
      const { object, id } = (target["record"] ?? {}) as Record<string, unknown>;
      return typeof object === "string" && typeof id === "string" ? { kind: "record", record: { object, id } } : null;
    }
    case "new_record": {
      const { object, fields } = target;
      return typeof object === "string" && Array.isArray(fields) ? { kind: "new_record", object, fields } : null;
    }
    case "search":
      return typeof target["text"] === "string" ? { kind: "search", text: target["text"] } : null;
    default:
      return null;
  }
}

/** Our own relay wraps what it says once more. */
function numberIn(payload: unknown): string | null {
  const said = payload as { number?: unknown; message?: unknown } | null;
  if (said?.number === undefined && said?.message !== undefined) return numberIn(said.message);
  return typeof said?.number === "string" && said.number.trim() !== "" ? said.number.trim() : null;
}

/** Says whether the same was there a moment ago, and remembers it. */
function echoes(now: () => number): (what: string) => boolean {
  let last = { what: "", at: Number.NEGATIVE_INFINITY };
  return (what) => {
    const again = last.what === what && now() - last.at < ECHO_MS;
    last = { what, at: now() };
    return again;
  };
}
