// The side column: inbox, queues, recent logs.
import type { JSX } from "preact";
import { Icon, type IconName } from "../../shared/icons";
import { useSecond } from "../../shared/store";
import { sentence } from "../../shared/text";
import { clock, left, span } from "../../shared/time";
import type { DeliveryEntry, Item, LogEntry, QueueView } from "../../shared/types.gen";
import { panel as t } from "../../shared/words";
import { connectionName, queueOf, serverNow, usePanel } from "../context";
import { alertLevel, inbox, underway, unsent } from "../state";
import { CrmMark, OpenRecord } from "./lookups";

export function Inbox({ onOpen }: { onOpen: (interaction: string) => void }): JSX.Element | null {
  const { state } = usePanel();
  useSecond();
  const view = state.view;
  if (view === null) return null;
  const items = inbox(view);
  return (
    <section class="list" aria-label={t.inbox.list}>
      <h2>
        {t.inbox.title} <span class="count">{items.length}</span>
      </h2>
      {items.length === 0 ? (
        <EmptyInbox />
      ) : (
        <ol class="rows">
          {items.map((item, index) => (
            <Row key={item.interaction} item={item} number={index + 1} onOpen={onOpen} />
          ))}
        </ol>
      )}
    </section>
  );
}

function EmptyInbox(): JSX.Element | null {
  const { control, state } = usePanel();
  const view = state.view;
  if (view === null) return null;
  const queues = view.queues.map((queue) => queue.name).join(", ");
  const available = view.me.presence.presence === "available";
  const words = {
    available: queues === "" ? t.inbox.emptyNoQueues : t.inbox.emptyAvailable(queues),
    on_break: t.inbox.emptyBreak,
    stop_new: t.inbox.emptyStopNew,
    offline: t.inbox.emptyOffline,
  }[view.me.presence.presence];
  return (
    <div class="empty">
      <p>{words}</p>
      {!available && (
        <button
          class="button button-main"
          disabled={underway(state, "set_presence")}
          onClick={() => control.act({ deed: "set_presence", presence: { presence: "available" }, confirmed: false })}
        >
          {t.inbox.goAvailable}
        </button>
      )}
    </div>
  );
}

/** State in a shape and in words; colour only strengthens. */
export function stateOf(item: Item): { icon: IconName; words: string } {
  if (item.wrap_up !== null) {
    return item.place === "parked"
      ? { icon: "parked", words: t.inbox.states.parkedWrapUp }
      : { icon: "wrapup", words: t.inbox.states.wrapUp };
  }
  if (item.ended_at !== null) return { icon: "ended", words: t.inbox.states.ended };
  switch (item.place) {
    case "active":
      return { icon: "active", words: t.inbox.states.active };
    case "parked":
      return { icon: "parked", words: t.inbox.states.parked };
    case "new":
      return { icon: "new", words: t.inbox.states.new };
  }
}

function Row({
  item,
  number,
  onOpen,
}: {
  item: Item;
  number: number;
  onOpen: (interaction: string) => void;
}): JSX.Element {
  const { control, state } = usePanel();
  const shape = stateOf(item);
  const unread = state.unread.get(item.interaction) ?? 0;
  const messages = state.messages.get(item.interaction) ?? [];
  const last = messages[messages.length - 1];
  const draft = state.drafts.get(item.interaction);
  const waiting = unsent(state, item.interaction).length;
  const lastLine =
    last === undefined ? t.inbox.noMessages : last.from === "agent" ? `${t.inbox.you}: ${last.text}` : last.text;
  return (
    <li>
      <button
        class={`row ${state.selected === item.interaction ? "row-selected" : ""}`}
        aria-current={state.selected === item.interaction}
        aria-keyshortcuts={number <= 9 ? String(number) : undefined}
        onClick={() => onOpen(item.interaction)}
        onKeyDown={(event) => {
          if (event.key !== "Enter") return;
          event.preventDefault();
          onOpen(item.interaction);
          if (item.place !== "active") control.act({ deed: "activate", interaction: item.interaction });
        }}
      >
        <Icon name={shape.icon} class={`state-${item.wrap_up === null ? item.place : "wrapup"}`} />
        <span class="row-name">
          <bdi>{item.person.name ?? t.noName}</bdi>
        </span>
        <RowTime item={item} />
        <span class="row-line">
          <span class="row-state">{shape.words}</span>
          {" · "}
          {draft !== undefined ? (
            <span class="draft">
              <Icon name="pencil" /> {t.inbox.draft}: {draft}
            </span>
          ) : waiting > 0 ? (
            t.chat.sending
          ) : (
            <bdi>{lastLine}</bdi>
          )}
        </span>
        {unread > 0 && (
          <span class="badge" role="img" aria-label={t.inbox.unread(unread)}>
            {unread}
          </span>
        )}
      </button>
    </li>
  );
}

function RowTime({ item }: { item: Item }): JSX.Element | null {
  const { state } = usePanel();
  const now = serverNow(state);
  if (item.wrap_up !== null) {
    const remaining = item.wrap_up.deadline === null ? item.wrap_up.left : item.wrap_up.deadline - now;
    return remaining === null ? null : (
      <span class="row-time" title={t.inbox.left(left(remaining))}>
        <Icon name="wrapup" /> {left(remaining)}
      </span>
    );
  }
  return <Waiting item={item} />;
}

/** The wait since the first unanswered message; shape and colour change at each limit (B7). */
export function Waiting({ item }: { item: Item }): JSX.Element | null {
  const { state } = usePanel();
  if (item.unanswered_since === null || item.ended_at !== null) return null;
  const waited = serverNow(state) - item.unanswered_since;
  const limits = queueOf(state, item.queue)?.reply_alert ?? [];
  const level = alertLevel(waited, limits);
  const icon = level === 0 ? "clock" : level < limits.length ? "warn" : "alarm";
  const tone = level === 0 ? "calm" : level < limits.length ? "warn" : "bad";
  const words = t.inbox.waits(span(waited));
  return (
    <span class={`row-time wait-${tone}`} title={words} role="timer" aria-label={words}>
      <Icon name={icon} /> {span(waited)}
    </span>
  );
}

export function Queues(): JSX.Element | null {
  const { state } = usePanel();
  useSecond();
  const queues = state.view?.queues ?? [];
  if (queues.length === 0) return null;
  return (
    <section class="list" aria-label={t.queues.title}>
      <h2>{t.queues.title}</h2>
      <ul class="rows">
        {queues.map((queue) => (
          <QueueRow key={queue.queue} queue={queue} />
        ))}
      </ul>
    </section>
  );
}

function QueueRow({ queue }: { queue: QueueView }): JSX.Element {
  const { control, state } = usePanel();
  const next = queue.takeable[0];
  const oldest = queue.oldest === null || queue.waiting === 0 ? null : span(serverNow(state) - queue.oldest);
  return (
    <li class="queue">
      <span class="queue-words">
        <span class="queue-name">{queue.name}</span>
        <span class="queue-count" title={oldest === null ? undefined : t.queues.oldest(oldest)}>
          {t.queues.waiting(queue.waiting)}
          {oldest !== null && ` · ${oldest}`}
        </span>
      </span>
      {next !== undefined && (
        <button
          class="button button-small"
          disabled={underway(state, "take_chat")}
          onClick={() => control.act({ deed: "take_chat", interaction: next })}
        >
          {t.queues.take}
        </button>
      )}
    </li>
  );
}

export function Logs(): JSX.Element | null {
  const { state } = usePanel();
  useSecond();
  const logs = state.view?.logs ?? [];
  return (
    <section class="list" id="logs" aria-label={t.logs.title} tabIndex={-1}>
      <h2>{t.logs.title}</h2>
      {logs.length === 0 ? (
        <p class="empty">{t.logs.empty}</p>
      ) : (
        <ul class="rows">
          {logs.map((log) => (
            <LogRow key={log.interaction} log={log} />
          ))}
        </ul>
      )}
    </section>
  );
}

function LogRow({ log }: { log: LogEntry }): JSX.Element {
  return (
    <li class="log">
      <span class="log-name">
        <bdi>{log.name === "" ? t.noName : log.name}</bdi>
      </span>
      <span class="log-time">{clock(log.closed_at)}</span>
      {log.not_classified && (
        <p class="log-state wait-warn">
          <Icon name="tag" /> {t.logs.notClassified}
        </p>
      )}
      {log.deliveries.length === 0 && (
        <p class="log-state">
          <Icon name="check" /> {t.logs.none}
        </p>
      )}
      {log.deliveries.map((delivery) => (
        <Delivery key={delivery.connection} delivery={delivery} />
      ))}
    </li>
  );
}

/** "Saved, being sent", then the case number, or the reason why not (D7); one line for each connection. */
function Delivery({ delivery }: { delivery: DeliveryEntry }): JSX.Element {
  const { state } = usePanel();
  const { connection, state: at } = delivery;
  const crm = connectionName(state, connection);
  const mark = <CrmMark connection={connection} />;
  switch (at.state) {
    case "sending":
      return (
        <p class="log-state">
          {mark} <Icon name="hourglass" /> <span>{t.logs.sending(crm)}</span>
        </p>
      );
    case "saved":
      return (
        <p class="log-state log-saved">
          {mark} <Icon name="check" />
          <OpenRecord connection={connection} record={at.record} url={at.url ?? null} title={at.label} />
        </p>
      );
    case "delayed": {
      const remaining = at.next_at - serverNow(state);
      return (
        <p class="log-state wait-warn">
          {mark} <Icon name="clock" />
          <span>
            {sentence(at.reason)} {remaining > 0 ? t.logs.nextTry(left(remaining)) : t.logs.tryingNow}
          </span>
        </p>
      );
    }
    case "refused":
      return (
        <p class="log-state wait-bad">
          {mark} <Icon name="refused" /> <span>{sentence(t.logs.refused(crm, at.reason))}</span>
        </p>
      );
  }
}
