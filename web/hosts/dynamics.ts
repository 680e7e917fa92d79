// Dynamics 365 through Microsoft's Channel Integration Framework: the panel is the channel URL of a provider record.
// Its script comes from the CRM's own host, which the page names in `?base=`; version 2 is told by what it can do.

import type { PopTarget, Record as CrmRecord } from "../shared/types.gen";
import { panel as t } from "../shared/words";
import type { Attention, Dialled, Host } from "./host";
import { loadScript, originOf, Silent, within } from "./script";

const SCRIPT_PATH = "/webresources/Widget/msdyn_ciLibrary.js";
const INIT_WAIT_MS = 10_000;
/** The framework promises a time-out of its own, but some of its calls never settle. */
const CALL_WAIT_MS = 10_000;
const CRM = "Dynamics";
/** Where Microsoft serves environments: commercial and GCC, GCC High, DoD, China. */
const CLOUDS = /^https:\/\/[^/]+\.(?:dynamics\.com|microsoftdynamics\.us|appsplatform\.us|dynamics\.cn)$/u;
const DOCKED = 1;
/** Comes with every multi-session app; takes `entityName` and `entityId`. */
const RECORD_TAB = "msdyn_entityrecord";
const WIDTH = { min: 300, max: 1920 };

/** The environment around the page: `?base=`, or the outermost page where it is one of Microsoft's. */
export function dynamicsOrigin(search: string, ancestors: readonly string[]): string | null {
  const named = originOf(new URLSearchParams(search).get("base"));
  if (named !== null) return named;
  return ancestors.find((ancestor) => CLOUDS.test(ancestor)) ?? null;
}

/** A session template of the environment, where the panel's address names one (`?session=`). */
export const sessionTemplate = (search: string): string | null => new URLSearchParams(search).get("session");

/** Loads the framework and gives the adapter. Rejects with one sentence why not. */
export async function dynamics(origin: string, session: string | null): Promise<Host> {
  // The event can come before the script's own `load`.
  const ready = initialised(window, origin);
  ready.catch(() => undefined);
  await loadScript(origin + SCRIPT_PATH, { crmurl: origin, cifid: "CIFMainLibrary" });
  await ready;
  const cif = window.Microsoft?.CIFramework;
  if (cif === undefined) throw new Error(t.host.scriptEmpty(origin));
  return dynamicsHost(cif, session);
}

/** The framework answers nobody before `CIFInitDone`. */
export function initialised(page: Pick<EventTarget, "addEventListener">, origin: string): Promise<void> {
  const done = new Promise<void>((resolve) => {
    page.addEventListener("CIFInitDone", () => resolve(), { once: true });
  });
  return within(INIT_WAIT_MS, t.host.cifSilent(origin), done);
}

/** The adapter over the framework. */
export function dynamicsHost(cif: CIFramework, session: string | null): Host {
  const listeners = new Set<(dialled: Dialled) => void>();
  let dials = false;
  let ringing = false;
  let mode: number | null = null;
  const open = opener(cif, session);
  const quietly = (call: () => unknown): void => {
    ask(call).catch(() => undefined);
  };
  // The first change of the mode after a load is not told, so it is asked for.
  ask(() => cif.getMode()).then(
    (answer) => {
      mode ??= numberIn(answer);
    },
    () => undefined,
  );
  quietly(() =>
    cif.addHandler("onmodechanged", async (payload) => {
      mode = numberIn(payload);
    }),
  );
  const listenToDials = (): void => {
    if (dials) return;
    dials = true;
    quietly(() => cif.setClickToAct(true));
    quietly(() =>
      cif.addHandler("onclicktoact", async (payload) => {
        const dialled = clicked(payload);
        if (dialled !== null) for (const listener of listeners) listener(dialled);
      }),
    );
  };
  return {
    kind: "dynamics",
    canPop: true,
    pop: open,
    onClickToDial(listener) {
      listeners.add(listener);
      listenToDials();
      return () => listeners.delete(listener);
    },
    // The framework has no line of the panel's own to write into.
    saveContext: () => undefined,
    notify(attention: Attention) {
      // Once per ring, so that an agent who closes the panel is not fought with.
      if (attention.ringing && !ringing && mode !== DOCKED) quietly(() => cif.setMode(DOCKED));
      ringing = attention.ringing;
    },
    resize({ width }) {
      quietly(() => cif.setWidth(Math.min(WIDTH.max, Math.max(WIDTH.min, Math.round(width)))));
    },
  };
}

/** Opens records: in a session or a tab where there are such, else as a form. */
function opener(cif: CIFramework, session: string | null): (target: PopTarget) => Promise<void> {
  // A way that is refused is tried again with the next record, one that keeps silent is not before the next load.
  let sessions = session !== null && cif.createSession !== undefined;
  let tabs = cif.createSession !== undefined && cif.createTab !== undefined;
  const form = (entity: object, values?: object): Promise<unknown> =>
    ask(() => cif.openForm(JSON.stringify(entity), JSON.stringify(values ?? {})));
  const record = async ({ object, id }: CrmRecord): Promise<void> => {
    const of = { entityName: object, entityId: id };
    if (sessions) {
      const got = await tried(() => inSession(cif, session ?? "", of));
      if (got === "done") return;
      sessions = got === "refused";
    }
    if (tabs) {
      const tab = { templateName: RECORD_TAB, templateParameters: of, isFocused: true };
      const got = await tried(() => ask(() => cif.createTab?.(tab)));
      if (got === "done") return;
      tabs = got === "refused";
    }
    await form(of);
  };
  return async (target) => {
    switch (target.kind) {
      case "record":
        return record(target.record);
      case "new_record":
        await form({ entityName: target.object }, Object.fromEntries(target.fields));
        return;
      case "search":
        await ask(() => cif.renderSearchPage("contact", target.text));
    }
  };
}

async function tried(call: () => Promise<unknown>): Promise<"done" | "refused" | "silent"> {
  try {
    await call();
    return "done";
  } catch (error) {
    return error instanceof Silent ? "silent" : "refused";
  }
}

/** At most ten sessions stand at once; a full row counts as a refusal. */
async function inSession(cif: CIFramework, templateName: string, of: Record<string, string>): Promise<void> {
  const free = await ask(() => cif.canCreateSession?.());
  if (String(free) !== "true") throw new Error(t.host.popRefused(CRM, null));
  await ask(() => cif.createSession?.({ templateName, templateParameters: of }));
}

/** One call with a time limit; whatever it rejects with becomes one sentence. */
async function ask(call: () => unknown): Promise<unknown> {
  const answer = (async () => call())();
  try {
    return await within(CALL_WAIT_MS, t.host.popSlow(CRM), answer);
  } catch (error) {
    if (error instanceof Error) throw error;
    throw new Error(t.host.popRefused(CRM, reasonIn(error)));
  }
}

/** The words in what the framework rejects with: text, JSON, a Map, or an object that says it here or there. */
export function reasonIn(error: unknown): string | null {
  if (typeof error === "string") {
    const parsed = parse(error);
    return parsed === null || typeof parsed !== "object" ? error.trim() || null : reasonIn(parsed);
  }
  if (error === null || typeof error !== "object") return null;
  const fields: Record<string, unknown> = error instanceof Map ? Object.fromEntries(error) : { ...error };
  // An Error's message is not among its own enumerable fields.
  const said = [fields["message"] ?? (error instanceof Error ? error.message : null), fields["errorMsg"]];
  const text = said.find((one) => typeof one === "string" && one.trim() !== "");
  if (typeof text === "string") return text.trim();
  return [fields["value"], fields["error"]].map(reasonIn).find((one) => one !== null) ?? null;
}

/** The number and record of a click; the number stands as it is typed in the CRM. */
export function clicked(payload: string): Dialled | null {
  const said = parse(payload);
  if (said === null || typeof said !== "object") return null;
  const { value, entityLogicalName, entityId } = said as Record<string, unknown>;
  if (typeof value !== "string" || value.trim() === "") return null;
  const record =
    typeof entityId === "string" && typeof entityLogicalName === "string"
      ? { object: entityLogicalName, id: bare(entityId) }
      : null;
  return { number: value.trim(), record };
}

/** Ids come in braces and capitals here and there. */
const bare = (id: string): string => id.replace(/[{}]/gu, "").toLowerCase();

function numberIn(answer: unknown): number | null {
  const said = typeof answer === "string" ? parse(answer) : answer;
  const value = said !== null && typeof said === "object" ? (said as { value?: unknown }).value : said;
  const number = Number(value ?? Number.NaN);
  return Number.isInteger(number) ? number : null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
