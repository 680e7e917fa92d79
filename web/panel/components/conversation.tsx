// One chat: who, what was said, what can be done with it.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { focusNow } from "../../shared/focus";
import { Icon } from "../../shared/icons";
import { MessageText } from "../../shared/message-text";
import { useSecond } from "../../shared/store";
import { sentence } from "../../shared/text";
import { clock, day, sameDay } from "../../shared/time";
import type { Item, Message } from "../../shared/types.gen";
import { panel as t } from "../../shared/words";
import { queueOf, usePanel } from "../context";
import { underway, unsent } from "../state";
import { Composer } from "./composer";
import { stateOf, Waiting } from "./lists";
import { ContactPane } from "./lookups";
import { Classification, WrapUp } from "./wrap-up";

export type Sheet = "none" | "contact" | "classify";

interface Props {
  item: Item;
  sheet: Sheet;
  onSheet: (sheet: Sheet) => void;
  endAsked: boolean;
  onEndAsked: (asked: boolean) => void;
  onBack: () => void;
}

export function Conversation({ item, sheet, onSheet, endAsked, onEndAsked, onBack }: Props): JSX.Element {
  return (
    <article class="chat" aria-label={t.chat.conversation}>
      <Head item={item} sheet={sheet} onSheet={onSheet} endAsked={endAsked} onEndAsked={onEndAsked} onBack={onBack} />
      {sheet === "contact" && (
        <div class="sheet sheet-contact">
          <ContactPane item={item} />
        </div>
      )}
      <Messages item={item} />
      <Below item={item} sheet={sheet} onSheet={onSheet} />
    </article>
  );
}

function Head({ item, sheet, onSheet, endAsked, onEndAsked, onBack }: Props): JSX.Element {
  const { control, state } = usePanel();
  useSecond();
  const { interaction } = item;
  const shape = stateOf(item);
  const queue = queueOf(state, item.queue)?.name ?? item.queue;
  const active = item.place === "active";
  const moving = underway(state, "park", interaction) || underway(state, "activate", interaction);
  const toggle = (one: Sheet): void => onSheet(sheet === one ? "none" : one);
  return (
    <header class="chat-head">
      <button class="icon-button back" aria-label={t.chat.back} title={t.chat.back} onClick={onBack}>
        <Icon name="back" />
      </button>
      <div class="chat-who">
        <h1>
          <bdi>{item.person.name ?? t.noName}</bdi>
        </h1>
        <p>
          <Icon name={shape.icon} class={`state-${item.wrap_up === null ? item.place : "wrapup"}`} /> {shape.words} ·{" "}
          {queue}
          <Waiting item={item} />
        </p>
      </div>
      <div class="chat-deeds">
        <button
          class="icon-button only-narrow"
          aria-pressed={sheet === "contact"}
          aria-label={t.chat.contact}
          title={`${t.chat.contact} (K)`}
          onClick={() => toggle("contact")}
        >
          <Icon name="person" />
        </button>
        {item.wrap_up === null && (
          <button
            class="icon-button"
            aria-pressed={sheet === "classify"}
            aria-label={t.chat.classify}
            title={`${t.chat.classify} (C)`}
            onClick={() => toggle("classify")}
          >
            <Icon name="tag" />
          </button>
        )}
        <button
          class={`button ${active ? "" : "button-main"}`}
          disabled={moving}
          aria-keyshortcuts="P"
          title={`${active ? t.chat.park : t.chat.activate} (P)`}
          onClick={() => control.act({ deed: active ? "park" : "activate", interaction })}
        >
          <Icon name={active ? "parked" : "active"} />{" "}
          <span class="button-words">{active ? t.chat.park : t.chat.activate}</span>
        </button>
        {item.ended_at === null && (
          <button
            class="button"
            disabled={underway(state, "end_chat", interaction)}
            aria-keyshortcuts="E"
            title={`${t.chat.end} (E)`}
            onClick={() => onEndAsked(true)}
          >
            <Icon name="ended" /> <span class="button-words">{t.chat.end}</span>
          </button>
        )}
      </div>
      {endAsked && item.ended_at === null && (
        <div class="ask" role="alertdialog" aria-label={t.chat.endSure}>
          <span>{t.chat.endSure}</span>
          <button
            class="button button-bad"
            ref={focusNow}
            onClick={() => {
              onEndAsked(false);
              control.act({ deed: "end_chat", interaction });
            }}
          >
            {t.chat.endYes}
          </button>
          <button class="button" onClick={() => onEndAsked(false)}>
            {t.chat.endNo}
          </button>
        </div>
      )}
    </header>
  );
}

/** A wrap-up covers the composer; an end not yet seen asks to be seen first (B13). */
function Below({ item, sheet, onSheet }: { item: Item; sheet: Sheet; onSheet: (sheet: Sheet) => void }): JSX.Element {
  const { control, state } = usePanel();
  const unseen = item.ended_at !== null && !item.end_seen && item.ended_by === "customer";
  return (
    <div class="below">
      {unseen && (
        <div class="strip strip-ask" role="status">
          <p>{t.chat.endedBy(item.person.name ?? t.chat.customer, clock(item.ended_at ?? 0))}</p>
          <button
            class="button button-main"
            disabled={underway(state, "see_end", item.interaction)}
            onClick={() => control.act({ deed: "see_end", interaction: item.interaction })}
          >
            {t.chat.seenEnd}
          </button>
        </div>
      )}
      {item.wrap_up !== null ? (
        <WrapUp item={item} wrapUp={item.wrap_up} />
      ) : sheet === "classify" ? (
        <div class="wrapup">
          <div class="wrapup-head">
            <h2>
              <Icon name="tag" /> {t.wrapUp.ofChat}
            </h2>
            <button class="icon-button" aria-label={t.close} title={t.close} onClick={() => onSheet("none")}>
              <Icon name="close" />
            </button>
          </div>
          <Classification item={item} />
        </div>
      ) : null}
      {item.wrap_up === null && item.ended_at === null && <Composer item={item} />}
    </div>
  );
}

interface Line {
  id: string;
  at: number;
  from: "customer" | "agent";
  name: string;
  text: string;
  sent: "sent" | "sending" | "queued";
}

const NEAR_END_PX = 48;

function Messages({ item }: { item: Item }): JSX.Element {
  const { control, state } = usePanel();
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const height = useRef(0);
  const [fresh, setFresh] = useState(0);
  const { interaction } = item;
  const said = state.messages.get(interaction) ?? [];
  const waiting = unsent(state, interaction);
  const live = state.link.kind === "live";
  const lines: Line[] = [
    ...said
      .filter((message) => message.text !== "")
      .map(
        (message: Message): Line => ({
          ...message,
          from: message.from === "customer" ? "customer" : "agent",
          sent: "sent",
        }),
      ),
    ...waiting.map(
      (one): Line => ({
        ...one,
        at: one.at + state.skew,
        from: "agent",
        name: t.inbox.you,
        sent: live ? "sending" : "queued",
      }),
    ),
  ];
  const failed = state.failed.filter((one) => one.interaction === interaction);
  const count = lines.length + failed.length;
  const last = lines[lines.length - 1];

  const toEnd = (): void => {
    const element = box.current;
    if (element !== null) element.scrollTop = element.scrollHeight;
    atEnd.current = true;
    setFresh(0);
  };
  useLayoutEffect(toEnd, [interaction]);
  useLayoutEffect(() => {
    // A pill, not a jump, for somebody who reads above; one's own message always shows.
    if (atEnd.current || last?.sent !== "sent") toEnd();
    else setFresh((n) => n + 1);
  }, [count]);
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const grown = new ResizeObserver(() => {
      height.current = element.clientHeight;
      if (atEnd.current) toEnd();
    });
    grown.observe(element);
    return () => grown.disconnect();
  }, []);
  const onScroll = (): void => {
    const element = box.current;
    // A scroll that comes from a change of height is nobody's wish to read above.
    if (element === null || element.clientHeight !== height.current) return;
    atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_END_PX;
    if (atEnd.current) setFresh(0);
  };

  const who = item.person.name ?? t.chat.customer;
  const typing = (state.typing.get(interaction) ?? 0) > Date.now() && item.ended_at === null;
  return (
    <div class="messages-frame">
      <div
        ref={box}
        class="messages"
        role="log"
        aria-label={t.chat.conversation}
        aria-live="polite"
        tabIndex={0}
        onScroll={onScroll}
      >
        <System>{t.chat.startedAt(clock(item.started_at))}</System>
        {lines.length === 0 && item.ended_at === null && <p class="quiet centred">{t.chat.noMessages}</p>}
        {lines.map((line, index) => {
          const before = lines[index - 1];
          return (
            <div key={line.id} class="line-group">
              {before !== undefined && !sameDay(before.at, line.at) && <System>{day(line.at)}</System>}
              <Bubble line={line} joined={before?.from === line.from && line.at - before.at < 60_000} who={who} />
            </div>
          );
        })}
        {failed.map((one) => (
          <div key={one.id} class="line-group">
            <div class="bubble bubble-agent bubble-failed">
              <p class="bubble-text">{one.text}</p>
            </div>
            <p class="bubble-note wait-bad">
              <Icon name="refused" /> {t.chat.notSent(sentence(one.reason))}{" "}
              <button class="link" onClick={() => control.store.dispatch({ type: "take_back", id: one.id })}>
                {t.chat.edit}
              </button>
            </p>
          </div>
        ))}
        {item.ended_at !== null && (
          <System>
            {item.ended_by === "agent"
              ? t.chat.endedByYou(clock(item.ended_at))
              : t.chat.endedBy(who, clock(item.ended_at))}
          </System>
        )}
      </div>
      {fresh > 0 && (
        <button class="pill" onClick={toEnd}>
          <Icon name="down" /> {t.chat.newMessages(fresh)}
        </button>
      )}
      <p class="typing" aria-live="polite">
        {typing && (
          <>
            <Dots /> <bdi>{t.chat.typing(who)}</bdi>
          </>
        )}
      </p>
    </div>
  );
}

function Dots(): JSX.Element {
  return (
    <span class="dots" aria-hidden="true">
      <i />
      <i />
      <i />
    </span>
  );
}

function System({ children }: { children: ComponentChildren }): JSX.Element {
  return (
    <p class="system">
      <span>{children}</span>
    </p>
  );
}

function Bubble({ line, joined, who }: { line: Line; joined: boolean; who: string }): JSX.Element {
  const time = clock(line.at);
  const words = { sent: t.chat.sent, sending: t.chat.sending, queued: t.chat.queued }[line.sent];
  return (
    <>
      {!joined && (
        <p class={`sender sender-${line.from}`}>
          <bdi>{line.from === "agent" ? line.name : who}</bdi>
        </p>
      )}
      <div
        role="group"
        class={`bubble bubble-${line.from} ${line.sent === "sent" ? "" : "bubble-waiting"}`}
        tabIndex={0}
        aria-label={`${line.from === "agent" ? line.name : who}, ${time}: ${line.text}`}
      >
        <p class="bubble-text">
          <MessageText text={line.text} words={t.chat} />
        </p>
        <span class="bubble-time">
          {time}
          {line.from === "agent" && <Icon name={line.sent === "sent" ? "tick" : "clock"} label={words} />}
        </span>
      </div>
    </>
  );
}
