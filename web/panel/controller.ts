// Between the state and the world: socket, host, browser storage, title, sound. Decides nothing that a reducer could.
import type { Host } from "../hosts/host";
import { freshId } from "../shared/ids";
import { Link, socketUrl } from "../shared/link";
import { keep, recall } from "../shared/storage";
import { createStore, type Store } from "../shared/store";
import type { AgentDeed, HostPage, PanelFrame, PanelSays, PopTarget, SignedIn } from "../shared/types.gen";
import { panel as t } from "../shared/words";
import { connectionName } from "./context";
import { initialState, opensHere, type PanelAction, type PanelState, popUrl, type Queued, reduce } from "./state";

/** A typing sign lives up to six seconds (B6), so one every two seconds keeps it. */
const TYPING_EVERY_MS = 2_000;

export interface Controller {
  store: Store<PanelState, PanelAction>;
  host: Host;
  /** The CRM page around the panel; nothing when it stands alone. */
  page: HostPage | null;
  /** Sends a command, now or when the line is back. Gives its id. */
  act(deed: AgentDeed): string;
  /** Opens a record in the CRM around the panel because the agent asked; a link stands in where that fails. */
  open(connection: string, target: PopTarget, title: string): void;
  /** The agent is typing. */
  typing(interaction: string): void;
  /** Try the line now. */
  reconnect(): void;
  stop(): void;
}

interface Pop {
  connection: string;
  interaction: string;
  target: PopTarget;
  title: string;
}

interface Kept {
  drafts: [string, string][];
  outbox: Queued[];
}

export function control(session: SignedIn, tenant: string, host: Host, page: HostPage | null): Controller {
  const key = `tieline.panel.${tenant}.${session.agent}`;
  const kept = (recall("session", key) as Kept | null) ?? { drafts: [], outbox: [] };
  const store = createStore(reduce, initialState(kept));
  let link: Link<PanelFrame, PanelSays>;
  let lastTyping = 0;

  const onFrame = (frame: PanelFrame): void => {
    const wasStale = store.get().stale;
    store.dispatch({ type: "frame", frame, at: Date.now() });
    if (store.get().stale && !wasStale) link.send({ frame: "resync" }, true);
    if (frame.frame === "snapshot") flush();
    if (frame.frame === "typing") {
      const over = (): void => store.dispatch({ type: "typing_over", interaction: frame.interaction, at: Date.now() });
      setTimeout(over, frame.for);
    }
    if (frame.frame === "pop") pop(frame);
  };

  const flush = (): void => {
    for (const { id, deed, taken } of store.get().outbox) if (!taken) link.send({ frame: "do", id, do: deed }, true);
  };

  const pop = ({ connection, interaction, target, title }: Pop): void => {
    // The page around shows the records of its own CRM only (D0).
    const view = store.get().view;
    const here = view === null || opensHere(view.connections, page, connection);
    const elsewhere = (): Error => new Error(t.host.elsewhere(connectionName(store.get(), connection)));
    const opened = here || !host.canPop ? host.pop(target) : Promise.reject(elsewhere());
    opened.then(
      () => store.dispatch({ type: "pop_done", interaction }),
      (error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        const url = popUrl(target);
        // Without a CRM page around, a form or a search that has no address is nothing an agent could act on.
        if (url !== null || (here && host.canPop))
          store.dispatch({ type: "pop_missed", pop: { interaction, title, url, reason } });
      },
    );
  };

  link = new Link<PanelFrame, PanelSays>({
    url: socketUrl("/ws/agent", tenant),
    hello: () => ({ frame: "hello", token: session.token, can_pop: host.canPop, host: page }),
    onFrame,
    onState: (state) => store.dispatch({ type: "link", link: state }),
  });

  const unsubscribe = store.subscribe((state, before) => {
    if (state.drafts !== before.drafts || state.outbox !== before.outbox) {
      // Only messages outlive the page: a wish such as "accept" is stale by then.
      const outbox = state.outbox.filter((queued) => queued.deed.deed === "send");
      const value: Kept = { drafts: [...state.drafts], outbox };
      keep("session", key, value.drafts.length + value.outbox.length > 0 ? value : null);
    }
    if (state.view !== before.view || state.unread !== before.unread || state.selected !== before.selected) {
      tellHost(host, state, before);
    }
  });
  const seen = (): void => store.dispatch({ type: "visible", visible: document.visibilityState === "visible" });
  document.addEventListener("visibilitychange", seen);
  link.start();

  return {
    store,
    host,
    page,
    act(deed) {
      const id = freshId();
      store.dispatch({ type: "do", id, deed, at: Date.now() });
      // Before the first snapshot the queue is flushed by it, in order.
      if (store.get().link.kind === "live") link.send({ frame: "do", id, do: deed }, true);
      return id;
    },
    open: (connection, target, title) => pop({ connection, interaction: `clicked:${title}`, target, title }),
    typing(interaction) {
      if (Date.now() - lastTyping < TYPING_EVERY_MS) return;
      lastTyping = Date.now();
      link.send({ frame: "typing", interaction });
    },
    reconnect: () => link.hurry(),
    stop() {
      unsubscribe();
      document.removeEventListener("visibilitychange", seen);
      link.stop();
    },
  };
}

function tellHost(host: Host, state: PanelState, before: PanelState): void {
  const unread = [...state.unread.values()].reduce((sum, n) => sum + n, 0);
  const ringing = state.view?.offer != null || (state.view?.calls.some((call) => call.answered_at === null) ?? false);
  host.notify({ ringing, unread });
  const active = state.view?.items.find((item) => item.place === "active");
  const activeBefore = before.view?.items.find((item) => item.place === "active");
  if (active?.interaction === activeBefore?.interaction) return;
  const title = active?.person.name ?? t.noName;
  host.saveContext(active === undefined ? null : { interaction: active.interaction, title });
}
