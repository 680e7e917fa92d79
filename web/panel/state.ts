// What the panel knows, and how each frame and each act of the agent changes it. Pure: no socket, no clock, no page.
import type { LinkState } from "../shared/link";
import type {
  AgentDeed,
  Change,
  ConnectionInfo,
  Record as CrmRecord,
  HostPage,
  InteractionId,
  Item,
  Lookup,
  Match,
  Message,
  PanelFrame,
  PanelView,
  PopTarget,
  Presence,
  Refusal,
} from "../shared/types.gen";

/** A command on its way. It stays until the daemon has answered, and is sent again after every reconnect. */
export interface Queued {
  id: string;
  deed: AgentDeed;
  /** By this page's clock. */
  at: number;
  /** The daemon took it; a message stays until its delta has come, so that it never vanishes in between. */
  taken: boolean;
}

/** A message the daemon refused. Its text goes back to the agent. */
export interface Failed {
  id: string;
  interaction: InteractionId;
  text: string;
  reason: string;
}

/** A record the host could not open, or is not there to open. */
export interface MissedPop {
  interaction: InteractionId;
  title: string;
  url: string | null;
  reason: string;
}

/** One sentence for the agent. */
export interface Notice {
  id: string;
  text: string;
}

export interface PanelState {
  link: LinkState;
  /** Last delta seen. */
  seq: number;
  /** A delta is missing and a snapshot has been asked for; deltas are ignored until it comes. */
  stale: boolean;
  /** Server clock minus ours. */
  skew: number;
  view: PanelView | null;
  messages: ReadonlyMap<InteractionId, readonly Message[]>;
  outbox: readonly Queued[];
  failed: readonly Failed[];
  drafts: ReadonlyMap<InteractionId, string>;
  /** Until when, by this page's clock, the customer is shown as typing. */
  typing: ReadonlyMap<InteractionId, number>;
  unread: ReadonlyMap<InteractionId, number>;
  selected: InteractionId | null;
  /** The page is in front of somebody. */
  visible: boolean;
  missedPops: readonly MissedPop[];
  notices: readonly Notice[];
  /** A presence the daemon wants confirmed. */
  confirmPresence: Presence | null;
}

export type PanelAction =
  | { type: "frame"; frame: PanelFrame; at: number }
  | { type: "link"; link: LinkState }
  | { type: "do"; id: string; deed: AgentDeed; at: number }
  | { type: "select"; interaction: InteractionId | null }
  | { type: "draft"; interaction: InteractionId; text: string }
  | { type: "typing_over"; interaction: InteractionId; at: number }
  | { type: "visible"; visible: boolean }
  | { type: "pop_missed"; pop: MissedPop }
  | { type: "pop_done"; interaction: InteractionId }
  | { type: "notice"; notice: Notice }
  | { type: "dismiss"; id: string }
  | { type: "take_back"; id: string }
  | { type: "presence_answered" };

export function initialState(kept: { drafts?: [string, string][]; outbox?: Queued[] } = {}): PanelState {
  return {
    link: { kind: "idle" },
    seq: 0,
    stale: false,
    skew: 0,
    view: null,
    messages: new Map(),
    outbox: kept.outbox ?? [],
    failed: [],
    drafts: new Map(kept.drafts ?? []),
    typing: new Map(),
    unread: new Map(),
    selected: null,
    visible: true,
    missedPops: [],
    notices: [],
    confirmPresence: null,
  };
}

export function reduce(state: PanelState, action: PanelAction): PanelState {
  switch (action.type) {
    case "frame":
      return frame(state, action.frame, action.at);
    case "link":
      return { ...state, link: action.link };
    case "do":
      return queue(state, { id: action.id, deed: action.deed, at: action.at, taken: false });
    case "select":
      return select(state, action.interaction);
    case "draft":
      return { ...state, drafts: put(state.drafts, action.interaction, action.text || undefined) };
    case "typing_over":
      return (state.typing.get(action.interaction) ?? 0) > action.at
        ? state
        : { ...state, typing: put(state.typing, action.interaction, undefined) };
    case "visible":
      return select({ ...state, visible: action.visible }, state.selected);
    case "pop_missed":
      return { ...state, missedPops: [...withoutPop(state, action.pop.interaction), action.pop] };
    case "pop_done":
      return { ...state, missedPops: withoutPop(state, action.interaction) };
    case "notice":
      return { ...state, notices: [...state.notices, action.notice].slice(-3) };
    case "dismiss":
      return { ...state, notices: state.notices.filter((notice) => notice.id !== action.id) };
    case "take_back":
      return takeBack(state, action.id);
    case "presence_answered":
      return { ...state, confirmPresence: null };
  }
}

function frame(state: PanelState, frame: PanelFrame, at: number): PanelState {
  switch (frame.frame) {
    case "snapshot":
      return snapshot({ ...state, skew: frame.now - at, seq: frame.seq, stale: false }, frame.view);
    case "delta":
      if (state.stale || frame.seq <= state.seq) return state;
      if (frame.seq !== state.seq + 1) return { ...state, stale: true };
      return frame.changes.reduce(change, { ...state, skew: frame.now - at, seq: frame.seq });
    case "answer":
      return answer(state, frame.id, frame.refusal);
    case "typing":
      // Other agents at the chat type too; the sign shown here is the customer's.
      if (frame.agent !== null) return state;
      return { ...state, typing: put(state.typing, frame.interaction, frame.for > 0 ? at + frame.for : undefined) };
    case "pop":
    case "bye":
      // Acts for the controller: the host opens records, the link keeps the line.
      return state;
  }
}

function snapshot(state: PanelState, view: PanelView): PanelState {
  const messages = new Map(view.messages.map((of) => [of.interaction, of.messages] as const));
  const known = new Set([...messages.values()].flat().map((message) => message.id));
  const before = new Set([...state.messages.values()].flat().map((message) => message.id));
  const unread = new Map(state.unread);
  for (const [interaction, all] of messages) {
    // What came while the line was down counts as unread, what a fresh page loads does not.
    if (!state.messages.has(interaction) || isRead(state, interaction)) continue;
    const fresh = all.filter((message) => message.from === "customer" && !before.has(message.id)).length;
    if (fresh > 0) unread.set(interaction, (unread.get(interaction) ?? 0) + fresh);
  }
  const here = new Set(view.items.map((item) => item.interaction));
  for (const interaction of unread.keys()) if (!here.has(interaction)) unread.delete(interaction);
  return settleSelection({
    ...state,
    view,
    messages,
    unread,
    outbox: state.outbox.filter((queued) => !known.has(queued.id) && !queued.taken),
  });
}

function change(state: PanelState, change: Change): PanelState {
  const view = state.view;
  if (view === null) return state;
  const seen = (next: Partial<PanelView>): PanelState => ({ ...state, view: { ...view, ...next } });
  switch (change.change) {
    case "me":
      return seen({ me: change.me });
    case "offer": {
      const gone = view.offer !== null && change.offer?.offer !== view.offer.offer ? view.offer.interaction : null;
      const next = seen({ offer: change.offer });
      // A lost offer takes its pop with it (D3); an accepted one keeps it.
      const kept = gone === null || view.items.some((item) => item.interaction === gone);
      return kept ? next : { ...next, missedPops: withoutPop(next, gone) };
    }
    case "item":
      return itemChanged(state, view, change.item);
    case "item_gone":
      return itemGone(state, view, change.interaction);
    case "message":
      return message(state, change.interaction, change.message);
    case "call":
      return seen({ calls: upsert(view.calls, change.call, (call) => call.interaction) });
    case "call_gone": {
      const next = seen({ calls: view.calls.filter((call) => call.interaction !== change.interaction) });
      return { ...next, missedPops: withoutPop(next, change.interaction) };
    }
    case "queue":
      return seen({ queues: upsert(view.queues, change.queue, (queue) => queue.queue) });
    case "log":
      return seen({ logs: log(view.logs, change.log) });
    case "joined":
      return seen({ joined: upsert(view.joined, change.joined, (joined) => joined.item.interaction) });
    case "joined_gone": {
      const next = seen({ joined: view.joined.filter((joined) => joined.item.interaction !== change.interaction) });
      return { ...next, messages: put(next.messages, change.interaction, undefined) };
    }
    case "colleagues":
      return seen({ colleagues: change.colleagues.reduce((all, one) => upsert(all, one, (of) => of.agent), view.colleagues) });
    case "supervised":
      return seen({ supervised: [change.supervised, ...view.supervised].slice(0, 10) });
    case "watched":
      // No page of this panel watches the floor yet.
      return state;
    case "settings":
      return seen({ connections: change.connections, break_reasons: change.break_reasons });
  }
}

/** Newest first, at most ten, as in the snapshot. */
function log(logs: PanelView["logs"], entry: PanelView["logs"][number]): PanelView["logs"] {
  const next = upsert(logs, entry, (one) => one.interaction);
  return next.sort((a, b) => b.closed_at - a.closed_at).slice(0, 10);
}

function itemChanged(state: PanelState, view: PanelView, item: Item): PanelState {
  const before = view.items.find((other) => other.interaction === item.interaction);
  const next = { ...state, view: { ...view, items: upsert(view.items, item, (one) => one.interaction) } };
  const typing = item.ended_at === null ? next.typing : put(next.typing, item.interaction, undefined);
  const turnedActive = item.place === "active" && before?.place !== "active";
  return turnedActive ? select({ ...next, typing }, item.interaction) : settleSelection({ ...next, typing });
}

function itemGone(state: PanelState, view: PanelView, gone: InteractionId): PanelState {
  const next: PanelState = {
    ...state,
    view: { ...view, items: view.items.filter((item) => item.interaction !== gone) },
    messages: put(state.messages, gone, undefined),
    unread: put(state.unread, gone, undefined),
    typing: put(state.typing, gone, undefined),
    drafts: put(state.drafts, gone, undefined),
    failed: state.failed.filter((failed) => failed.interaction !== gone),
    missedPops: withoutPop(state, gone),
  };
  return settleSelection(next);
}

function message(state: PanelState, interaction: InteractionId, message: Message): PanelState {
  const before = state.messages.get(interaction) ?? [];
  if (before.some((other) => other.id === message.id)) return state;
  const all = [...before, message].sort((a, b) => a.seq - b.seq);
  const next: PanelState = {
    ...state,
    messages: put(state.messages, interaction, all),
    outbox: state.outbox.filter((queued) => queued.id !== message.id),
  };
  if (message.from !== "customer") return next;
  const unread = isRead(state, interaction) ? undefined : (state.unread.get(interaction) ?? 0) + 1;
  return { ...next, typing: put(next.typing, interaction, undefined), unread: put(next.unread, interaction, unread) };
}

function queue(state: PanelState, queued: Queued): PanelState {
  const drafts = queued.deed.deed === "send" ? put(state.drafts, queued.deed.interaction, undefined) : state.drafts;
  return { ...state, drafts, outbox: [...state.outbox, queued] };
}

function answer(state: PanelState, id: string, refusal: Refusal | null): PanelState {
  const queued = state.outbox.find((one) => one.id === id);
  if (queued === undefined) return state;
  const rest = state.outbox.filter((one) => one.id !== id);
  const { deed } = queued;
  if (refusal === null) {
    if (deed.deed !== "send") return { ...state, outbox: rest };
    return { ...state, outbox: state.outbox.map((one) => (one.id === id ? { ...one, taken: true } : one)) };
  }
  const next = { ...state, outbox: rest };
  if (deed.deed === "send") {
    const failed = { id, interaction: deed.interaction, text: deed.text, reason: refusal.message };
    return { ...next, failed: [...state.failed, failed] };
  }
  if (deed.deed === "set_presence" && refusal.code === "needs_confirmation") {
    return { ...next, confirmPresence: deed.presence };
  }
  return { ...next, notices: [...state.notices, { id, text: refusal.message }].slice(-3) };
}

/** The text of a refused message goes back into the composer, before whatever stands there now. */
function takeBack(state: PanelState, id: string): PanelState {
  const failed = state.failed.find((one) => one.id === id);
  if (failed === undefined) return state;
  const draft = state.drafts.get(failed.interaction);
  const text = draft === undefined ? failed.text : `${failed.text}\n${draft}`;
  return {
    ...state,
    failed: state.failed.filter((one) => one.id !== id),
    drafts: put(state.drafts, failed.interaction, text),
  };
}

function select(state: PanelState, interaction: InteractionId | null): PanelState {
  const unread = interaction !== null && state.visible ? put(state.unread, interaction, undefined) : state.unread;
  return { ...state, selected: interaction, unread };
}

/** A selection that points to nothing goes to the active item. */
function settleSelection(state: PanelState): PanelState {
  const items = state.view?.items ?? [];
  if (state.selected !== null && items.some((item) => item.interaction === state.selected)) return state;
  const active = items.find((item) => item.place === "active");
  return select(state, active?.interaction ?? null);
}

function isRead(state: PanelState, interaction: InteractionId): boolean {
  return state.visible && state.selected === interaction;
}

function withoutPop(state: PanelState, interaction: InteractionId): readonly MissedPop[] {
  return state.missedPops.filter((pop) => pop.interaction !== interaction);
}

function put<V>(map: ReadonlyMap<string, V>, key: string, value: V | undefined): ReadonlyMap<string, V> {
  if (value === undefined && !map.has(key)) return map;
  const next = new Map(map);
  if (value === undefined) next.delete(key);
  else next.set(key, value);
  return next;
}

function upsert<T>(all: readonly T[], one: T, key: (of: T) => string): T[] {
  const at = all.findIndex((other) => key(other) === key(one));
  return at < 0 ? [...all, one] : all.map((other, index) => (index === at ? one : other));
}

// What the components ask.

/** An inbox in the order shown: active, new, then parked; the longest there first. */
export function inbox(view: PanelView): Item[] {
  const rank = { active: 0, new: 1, parked: 2 } as const;
  return [...view.items].sort((a, b) => rank[a.place] - rank[b.place] || a.started_at - b.started_at);
}

/** Messages of a chat that the daemon has not shown back yet. */
export function unsent(state: PanelState, interaction: InteractionId): { id: string; text: string; at: number }[] {
  const known = new Set((state.messages.get(interaction) ?? []).map((message) => message.id));
  return state.outbox.flatMap(({ id, deed, at }) =>
    deed.deed === "send" && deed.interaction === interaction && !known.has(id) ? [{ id, text: deed.text, at }] : [],
  );
}

/** A deed of this kind (about this interaction) is on its way. */
export function underway(state: PanelState, deed: AgentDeed["deed"], interaction?: InteractionId): boolean {
  return state.outbox.some(
    (queued) =>
      queued.deed.deed === deed &&
      (interaction === undefined || !("interaction" in queued.deed) || queued.deed.interaction === interaction),
  );
}

/** Which alert colour a wait for a reply has earned (B7): 0 none, then one per limit. */
export function alertLevel(waited: number, limits: readonly number[]): number {
  return limits.filter((limit) => waited >= limit).length;
}

/** Address of a pop's target in the CRM's own pages. */
export function popUrl(target: PopTarget): string | null {
  return target.kind === "record" ? (target.url ?? null) : null;
}

/** The connection whose CRM page is around the panel: the one its address names, else the first of that CRM (D0). */
export function hostConnection(connections: readonly ConnectionInfo[], page: HostPage | null): string | null {
  if (page === null) return null;
  const ofVendor = connections.filter((one) => one.vendor === page.vendor);
  const named = page.connection ?? null;
  return (named === null ? ofVendor[0] : ofVendor.find((one) => one.id === named))?.id ?? null;
}

/** The page around the panel can open this connection's records. */
export function opensHere(connections: readonly ConnectionInfo[], page: HostPage | null, connection: string): boolean {
  return hostConnection(connections, page) === connection;
}

export const sameRecord = (a: CrmRecord | null | undefined, b: CrmRecord | null | undefined): boolean =>
  a != null && b != null && a.id === b.id && a.object === b.object;

/** The match that is the contact a log goes under, as far as it was found by itself. */
export function contactMatch(lookup: Lookup): Match | null {
  return lookup.matches.find((match) => sameRecord(match.record, lookup.contact)) ?? null;
}

/** Who each CRM says the customer is, where it says one person. */
export function peopleNamed(lookups: readonly Lookup[]): { connection: string; name: string }[] {
  return lookups.flatMap((lookup) => {
    const match = contactMatch(lookup);
    return match === null || match.certainty === "guessed"
      ? []
      : [{ connection: lookup.connection, name: match.title }];
  });
}

/** The name that all CRMs agree on, which say one; nothing when they differ (D0) or none does. */
export function agreedName(lookups: readonly Lookup[]): string | null {
  const names = peopleNamed(lookups).map(({ name }) => name);
  const [first] = names;
  return first !== undefined && names.every((name) => plain(name) === plain(first)) ? first : null;
}

/** One CRM writes "Okafor, Grace", the next "Gráce Okafor". */
function plain(name: string): string {
  const letters = name.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase();
  return letters
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "")
    .sort()
    .join(" ");
}
