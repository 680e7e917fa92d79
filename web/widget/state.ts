// What a visitor's chat knows, and how each frame and act changes it. Pure.
import type { LinkState } from "../shared/link";
import type { ChatState, Message, Refusal, WidgetFrame } from "../shared/types.gen";

export interface Queued {
  id: string;
  what: { kind: "send"; text: string } | { kind: "end" };
  taken: boolean;
}

export interface WidgetState {
  link: LinkState;
  seq: number;
  stale: boolean;
  /** Nothing before the first snapshot. */
  chat: ChatState | null;
  messages: readonly Message[];
  charsMax: number;
  outbox: readonly Queued[];
  failed: readonly { id: string; text: string; reason: string }[];
  problem: string | null;
  draft: string;
  typingUntil: number;
  /** The last agent's name, for the words after the end. */
  agent: string | null;
  /** The visitor can see the chat. */
  shown: boolean;
  unread: number;
}

export type WidgetAction =
  | { type: "frame"; frame: WidgetFrame; at: number }
  | { type: "link"; link: LinkState }
  | { type: "queue"; queued: Omit<Queued, "taken"> }
  | { type: "draft"; text: string }
  | { type: "typing_over"; at: number }
  | { type: "shown"; shown: boolean }
  | { type: "take_back"; id: string }
  | { type: "dismiss" };

const CHARS_MAX_UNLESS_SAID = 500;

export function initialState(kept: { draft?: string; outbox?: Queued[]; shown?: boolean } = {}): WidgetState {
  return {
    link: { kind: "idle" },
    seq: 0,
    stale: false,
    chat: null,
    messages: [],
    charsMax: CHARS_MAX_UNLESS_SAID,
    outbox: kept.outbox ?? [],
    failed: [],
    problem: null,
    draft: kept.draft ?? "",
    typingUntil: 0,
    agent: null,
    shown: kept.shown ?? true,
    unread: 0,
  };
}

export function reduce(state: WidgetState, action: WidgetAction): WidgetState {
  switch (action.type) {
    case "frame":
      return frame(state, action.frame, action.at);
    case "link":
      return { ...state, link: action.link };
    case "queue": {
      const draft = action.queued.what.kind === "send" ? "" : state.draft;
      return { ...state, draft, outbox: [...state.outbox, { ...action.queued, taken: false }] };
    }
    case "draft":
      return { ...state, draft: action.text };
    case "typing_over":
      return state.typingUntil > action.at ? state : { ...state, typingUntil: 0 };
    case "shown":
      return { ...state, shown: action.shown, unread: action.shown ? 0 : state.unread };
    case "take_back": {
      const failed = state.failed.find((one) => one.id === action.id);
      if (failed === undefined) return state;
      const draft = state.draft === "" ? failed.text : `${failed.text}\n${state.draft}`;
      return { ...state, draft, failed: state.failed.filter((one) => one.id !== action.id) };
    }
    case "dismiss":
      return { ...state, problem: null };
  }
}

function frame(state: WidgetState, frame: WidgetFrame, at: number): WidgetState {
  switch (frame.frame) {
    case "snapshot": {
      const known = new Set(frame.messages.map((message) => message.id));
      const before = new Set(state.messages.map((message) => message.id));
      const fresh =
        state.chat === null ? 0 : frame.messages.filter((one) => one.from === "agent" && !before.has(one.id)).length;
      return withChat(
        {
          ...state,
          seq: frame.seq,
          stale: false,
          messages: frame.messages,
          charsMax: frame.chars_max,
          outbox: state.outbox.filter((queued) => !known.has(queued.id) && !queued.taken),
          unread: state.shown ? 0 : state.unread + fresh,
          agent: frame.messages.findLast((one) => one.from === "agent")?.name ?? state.agent,
        },
        frame.state,
      );
    }
    case "state":
      return inOrder(state, frame.seq, (next) => withChat(next, frame.state));
    case "message":
      return inOrder(state, frame.seq, (next) => message(next, frame.message));
    case "typing":
      return { ...state, typingUntil: at + frame.for };
    case "answer":
      return answer(state, frame.id, frame.refusal);
    case "returned":
    case "token":
    case "bye":
      // Acts for the controller and the link.
      return state;
  }
}

/** `seq` grows by one; a gap asks for a snapshot, and nothing is believed until it comes. */
function inOrder(state: WidgetState, seq: number, apply: (state: WidgetState) => WidgetState): WidgetState {
  if (state.stale || seq <= state.seq) return state;
  if (seq !== state.seq + 1) return { ...state, stale: true };
  return apply({ ...state, seq });
}

function withChat(state: WidgetState, chat: ChatState): WidgetState {
  const agent = chat.state === "talking" ? chat.agent : state.agent;
  return { ...state, chat, agent, typingUntil: chat.state === "talking" ? state.typingUntil : 0 };
}

function message(state: WidgetState, message: Message): WidgetState {
  if (state.messages.some((other) => other.id === message.id)) return state;
  const fromAgent = message.from === "agent";
  return {
    ...state,
    messages: [...state.messages, message].sort((a, b) => a.seq - b.seq),
    outbox: state.outbox.filter((queued) => queued.id !== message.id),
    typingUntil: fromAgent ? 0 : state.typingUntil,
    agent: fromAgent ? message.name : state.agent,
    unread: fromAgent && !state.shown ? state.unread + 1 : state.unread,
  };
}

function answer(state: WidgetState, id: string, refusal: Refusal | null): WidgetState {
  const queued = state.outbox.find((one) => one.id === id);
  if (queued === undefined) return state;
  const rest = state.outbox.filter((one) => one.id !== id);
  if (queued.what.kind === "send") {
    if (refusal === null)
      return { ...state, outbox: state.outbox.map((one) => (one.id === id ? { ...one, taken: true } : one)) };
    return {
      ...state,
      outbox: rest,
      failed: [...state.failed, { id, text: queued.what.text, reason: refusal.message }],
    };
  }
  return { ...state, outbox: rest, problem: refusal === null ? state.problem : refusal.message };
}

/** Messages the daemon has not shown back yet. */
export function unsent(state: WidgetState): { id: string; text: string }[] {
  return state.outbox.flatMap(({ id, what }) => (what.kind === "send" ? [{ id, text: what.text }] : []));
}
