// Salesforce Lightning through Open CTI: the panel is the softphone of a call center definition. Salesforce hands the
// origin of its page in the query (`sfdcIframeOrigin`), and its script, loaded from there, needs that query to stay.

import type { PopTarget } from "../shared/types.gen";
import { panel as t } from "../shared/words";
import type { Attention, Dialled, Host, WorkContext } from "./host";
import { loadScript, originOf, within } from "./script";

const SCRIPT_PATH = "/support/api/66.0/lightning/opencti_min.js";
const POP_WAIT_MS = 5_000;
const CRM = "Salesforce";
/** Open CTI refuses a search under three characters. */
const SEARCH_CHARS_MIN = 3;
/** Limits of setSoftphonePanelHeight and setSoftphonePanelWidth. */
const HEIGHT = { min: 240, max: 2560 };
const WIDTH = { min: 200, max: 1920 };

/** The page's own query names the Salesforce page around it. Salesforce writes both spellings. */
export function salesforceOrigin(search: string): string | null {
  const query = new URLSearchParams(search);
  return originOf(query.get("sfdcIframeOrigin") ?? query.get("sfdcIFrameOrigin"));
}

/** Loads the script and gives the adapter. Rejects with one sentence why not. */
export async function salesforce(origin: string): Promise<Host> {
  await loadScript(origin + SCRIPT_PATH);
  const cti = window.sforce?.opencti;
  if (cti === undefined) throw new Error(t.host.scriptEmpty(origin));
  return adapter(cti);
}

/** The call for a target, or why there is none. */
export function screenPop(cti: Pick<OpenCti, "SCREENPOP_TYPE">, target: PopTarget): { type: string; params: unknown } {
  switch (target.kind) {
    case "record":
      return { type: cti.SCREENPOP_TYPE.SOBJECT, params: { recordId: target.record.id } };
    case "new_record":
      return {
        type: cti.SCREENPOP_TYPE.NEW_RECORD_MODAL,
        params: { entityName: target.object, defaultFieldValues: Object.fromEntries(target.fields) },
      };
    case "search":
      if (target.text.length < SEARCH_CHARS_MIN) throw new Error(t.host.searchTooShort(SEARCH_CHARS_MIN));
      return { type: cti.SCREENPOP_TYPE.SEARCH, params: { searchString: target.text } };
  }
}

function adapter(cti: OpenCti): Host {
  const listeners = new Set<(dialled: Dialled) => void>();
  let label = "";
  let visible = false;
  let dials = false;
  // Click-to-dial is off after every load of the page, and stays off while nobody would hear the click.
  const listenToDials = (): void => {
    if (dials) return;
    dials = true;
    cti.enableClickToDial({ callback: () => undefined });
    cti.onClickToDial({
      listener: (payload) => {
        const record = payload.recordId ? { object: payload.objectType ?? "", id: payload.recordId } : null;
        for (const listener of listeners) listener({ number: payload.number, record });
      },
    });
  };
  cti.setSoftphonePanelLabel({ label: t.product });
  return {
    kind: "salesforce",
    canPop: true,
    async pop(target) {
      const call = screenPop(cti, target);
      await answered((callback) => cti.screenPop({ ...call, callback }));
    },
    onClickToDial(listener) {
      listeners.add(listener);
      listenToDials();
      return () => listeners.delete(listener);
    },
    saveContext(context: WorkContext | null) {
      cti.setSoftphonePanelLabel({ label: context === null ? t.product : context.title.slice(0, 80) });
    },
    notify({ ringing, unread }: Attention) {
      const next = ringing ? t.host.itemRinging : unread > 0 ? t.host.itemUnread(unread) : t.product;
      if (next !== label) cti.setSoftphoneItemLabel({ label: next });
      label = next;
      // Once per ring, so that an agent who closes the panel is not fought with.
      if (ringing && !visible) cti.setSoftphonePanelVisibility({ visible: true });
      visible = ringing;
    },
    resize({ width, height }) {
      cti.setSoftphonePanelHeight({ heightPX: clamp(height, HEIGHT) });
      cti.setSoftphonePanelWidth({ widthPX: clamp(width, WIDTH) });
    },
  };
}

function answered(call: (callback: (answer: OpenCtiAnswer) => void) => void): Promise<void> {
  const answer = new Promise<void>((resolve, reject) => {
    call((answer) => {
      if (answer.success) resolve();
      else
        reject(new Error(t.host.popRefused(CRM, answer.errors?.[0]?.description ?? answer.errors?.[0]?.code ?? null)));
    });
  });
  return within(POP_WAIT_MS, t.host.popSlow(CRM), answer);
}

const clamp = (n: number, { min, max }: { min: number; max: number }): number =>
  Math.min(max, Math.max(min, Math.round(n)));
