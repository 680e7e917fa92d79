// Between a visitor's chat and the world: socket, token, browser storage.
import { freshId } from "../shared/ids";
import { Link, socketUrl } from "../shared/link";
import { keep, recall } from "../shared/storage";
import { createStore, type Store } from "../shared/store";
import type { ChatStarted, WidgetFrame, WidgetSays } from "../shared/types.gen";
import { initialState, type Queued, reduce, type WidgetAction, type WidgetState } from "./state";

const TYPING_EVERY_MS = 2_000;

export interface Controller {
  store: Store<WidgetState, WidgetAction>;
  send(text: string): void;
  end(): void;
  typing(): void;
  stop(): void;
}

const chatKey = (tenant: string): string => `tieline.widget.${tenant}.chat`;
const keptKey = (tenant: string, interaction: string): string => `tieline.widget.${tenant}.${interaction}`;

/** The chat this browser has with the tenant; it outlives page and tab. Whether its token still lives, the daemon says. */
export function runningChat(tenant: string): ChatStarted | null {
  const kept = recall("local", chatKey(tenant)) as Partial<ChatStarted> | null;
  return typeof kept?.token === "string" && typeof kept.interaction === "string" ? (kept as ChatStarted) : null;
}

export function keepChat(tenant: string, chat: ChatStarted | null): void {
  keep("local", chatKey(tenant), chat);
}

export function control(tenant: string, started: ChatStarted, shown: boolean): Controller {
  const key = keptKey(tenant, started.interaction);
  const kept = recall("session", key) as { draft: string; outbox: Queued[] } | null;
  const store = createStore(reduce, initialState({ ...kept, shown }));
  let chat = started;
  let lastTyping = 0;
  let link: Link<WidgetFrame, WidgetSays>;

  const say = ({ id, what }: Omit<Queued, "taken">): void => {
    link.send(what.kind === "send" ? { frame: "send", id, text: what.text } : { frame: "end", id }, true);
  };
  const onFrame = (frame: WidgetFrame): void => {
    const wasStale = store.get().stale;
    store.dispatch({ type: "frame", frame, at: Date.now() });
    const state = store.get();
    if (state.stale && !wasStale) link.send({ frame: "resync" }, true);
    if (frame.frame === "snapshot") for (const queued of state.outbox) if (!queued.taken) say(queued);
    if (frame.frame === "typing") setTimeout(() => store.dispatch({ type: "typing_over", at: Date.now() }), frame.for);
    if (frame.frame === "token") {
      chat = { ...chat, token: frame.token };
      keepChat(tenant, chat);
    }
    if (state.chat?.state === "ended") {
      keepChat(tenant, null);
      link.stop();
    }
  };
  link = new Link<WidgetFrame, WidgetSays>({
    url: socketUrl("/ws/customer", tenant),
    hello: () => ({ frame: "hello", token: chat.token }),
    onFrame,
    onState: (state) => store.dispatch({ type: "link", link: state }),
  });
  const unsubscribe = store.subscribe((state, before) => {
    if (state.draft === before.draft && state.outbox === before.outbox) return;
    const empty = state.draft === "" && state.outbox.length === 0;
    keep("session", key, empty ? null : { draft: state.draft, outbox: state.outbox });
  });
  link.start();

  const queue = (what: Queued["what"]): void => {
    const queued = { id: freshId(), what };
    store.dispatch({ type: "queue", queued });
    // Before the first snapshot the queue is sent by it, in order.
    if (store.get().link.kind === "live") say(queued);
  };
  return {
    store,
    send: (text) => queue({ kind: "send", text }),
    end: () => queue({ kind: "end" }),
    typing() {
      if (Date.now() - lastTyping < TYPING_EVERY_MS) return;
      lastTyping = Date.now();
      link.send({ frame: "typing" });
    },
    stop() {
      unsubscribe();
      link.stop();
    },
  };
}
