// The chat in its frame: form, queue, talk, end.
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { focusNow } from "../shared/focus";
import { useGrowing } from "../shared/grow";
import { Icon } from "../shared/icons";
import { MessageText } from "../shared/message-text";
import { useStore } from "../shared/store";
import { characters, sentence } from "../shared/text";
import { clock } from "../shared/time";
import { widget as t } from "../shared/words";
import type { Controller } from "./controller";
import { unsent, type WidgetState } from "./state";

interface ChatProps {
  control: Controller;
  title: string;
  onMinimise: (() => void) | null;
  onAgain: () => void;
}

export function Chat({ control, title, onMinimise, onAgain }: ChatProps): JSX.Element {
  const state = useStore(control.store);
  const [endAsked, setEndAsked] = useState(false);
  const { chat, link } = state;
  const over = chat?.state === "ended" || link.kind === "closed";
  const talking = chat?.state === "talking";
  return (
    <>
      <Header
        title={title}
        under={talking ? t.talking(chat.agent) : null}
        onMinimise={onMinimise}
        onEnd={over || chat === null ? null : () => setEndAsked(true)}
      />
      {(link.kind === "waiting" || (link.kind === "connecting" && chat !== null)) && (
        <p class="bar" role="status">
          <Icon name="hourglass" /> {t.reconnecting}
        </p>
      )}
      {endAsked && !over && (
        <div class="bar bar-ask" role="alertdialog" aria-label={t.endSure}>
          <span>{t.endSure}</span>
          <button
            class="small small-main"
            ref={focusNow}
            onClick={() => {
              setEndAsked(false);
              control.end();
            }}
          >
            {t.endYes}
          </button>
          <button class="small" onClick={() => setEndAsked(false)}>
            {t.endNo}
          </button>
        </div>
      )}
      <Messages state={state} control={control} />
      {over ? <Over state={state} onAgain={onAgain} /> : <Writer state={state} control={control} />}
    </>
  );
}

export function Header({
  title,
  under = null,
  onMinimise,
  onEnd,
}: {
  title: string;
  under?: string | null;
  onMinimise: (() => void) | null;
  onEnd: (() => void) | null;
}): JSX.Element {
  return (
    <header class="head">
      <div class="head-words">
        <h1>
          <bdi>{title}</bdi>
        </h1>
        {under !== null && (
          <p>
            <bdi>{under}</bdi>
          </p>
        )}
      </div>
      {onEnd !== null && (
        <button class="head-button" onClick={onEnd}>
          {t.end}
        </button>
      )}
      {onMinimise !== null && (
        <button class="head-button head-icon" aria-label={t.minimise} title={t.minimise} onClick={onMinimise}>
          <Icon name="down" />
        </button>
      )}
    </header>
  );
}

function Messages({ state, control }: { state: WidgetState; control: Controller }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const waiting = unsent(state);
  const count = state.messages.length + waiting.length + state.failed.length;
  const typing = state.typingUntil > Date.now();
  useLayoutEffect(() => {
    if (box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [count, state.chat?.state, typing]);
  return (
    <div ref={box} class="messages" role="log" aria-live="polite" aria-label={t.conversation} tabIndex={0}>
      {state.chat?.state === "waiting" && (
        <p class="place">
          <Icon name="clock" /> {t.position(state.chat.position ?? null)}
        </p>
      )}
      {state.messages.map((message, index) => {
        const before = state.messages[index - 1];
        const own = message.from === "customer";
        return (
          <div key={message.id} class={`line ${own ? "line-own" : ""}`}>
            {before?.from !== message.from && (
              <p class="who">
                {own ? t.you : <bdi>{message.name || t.agent}</bdi>} · {clock(message.at)}
              </p>
            )}
            <p class="bubble">
              <MessageText text={message.text} words={linkWords} />
            </p>
          </div>
        );
      })}
      {waiting.map((one, index) => (
        <div key={one.id} class="line line-own">
          <p class="bubble bubble-waiting">
            <span dir="auto">{one.text}</span>
          </p>
          {index === waiting.length - 1 && (
            <p class="who">
              <Icon name="clock" /> {t.sending}
            </p>
          )}
        </div>
      ))}
      {state.failed.map((one) => (
        <div key={one.id} class="line line-own">
          <p class="bubble bubble-failed">
            <span dir="auto">{one.text}</span>
          </p>
          <p class="who problem">
            {t.notSent(sentence(one.reason))}{" "}
            <button class="text-button" onClick={() => control.store.dispatch({ type: "take_back", id: one.id })}>
              {t.edit}
            </button>
          </p>
        </div>
      ))}
      <p class="typing">
        {typing && (
          <>
            <span class="dots" aria-hidden="true">
              <i />
              <i />
              <i />
            </span>{" "}
            <bdi>{t.typing(state.agent ?? t.agent)}</bdi>
          </>
        )}
      </p>
    </div>
  );
}

const linkWords = { openLink: "Open", linkLeaves: (host: string) => host };

function Over({ state, onAgain }: { state: WidgetState; onAgain: () => void }): JSX.Element {
  const { chat, link } = state;
  const words =
    chat?.state === "ended"
      ? chat.by === "customer"
        ? t.endedByYou
        : t.endedByAgent(state.agent ?? t.agent)
      : link.kind === "closed"
        ? sentence(link.reason)
        : "";
  return (
    <div class="over" role="status">
      <p>
        {words}
        {chat?.state === "ended" && ` ${t.endedThanks}`}
      </p>
      <button class="main" onClick={onAgain}>
        {t.again}
      </button>
    </div>
  );
}

const LINES_MAX = 5;

function Writer({ state, control }: { state: WidgetState; control: Controller }): JSX.Element {
  const field = useRef<HTMLTextAreaElement>(null);
  const used = characters(state.draft);
  const over = used > state.charsMax;
  const sendable = !over && state.draft.trim() !== "";
  useGrowing(field, state.draft, LINES_MAX);
  useEffect(() => {
    if (state.shown) field.current?.focus();
  }, [state.shown]);
  const send = (): void => {
    if (!sendable) return;
    control.send(state.draft);
    field.current?.focus();
  };
  return (
    <form
      class="writer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      {state.problem !== null && (
        <p class="problem problem-box" role="alert">
          {sentence(state.problem)}{" "}
          <button type="button" class="text-button" onClick={() => control.store.dispatch({ type: "dismiss" })}>
            {t.endNo}
          </button>
        </p>
      )}
      <div class="writer-row">
        <textarea
          ref={field}
          rows={1}
          dir="auto"
          value={state.draft}
          placeholder={t.placeholder}
          aria-label={t.message}
          aria-invalid={over}
          aria-describedby="count"
          onInput={(event) => {
            control.store.dispatch({ type: "draft", text: event.currentTarget.value });
            if (event.currentTarget.value !== "") control.typing();
          }}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
            event.preventDefault();
            send();
          }}
        />
        <button class="send" disabled={!sendable} aria-label={t.send} title={t.send}>
          <Icon name="send" />
        </button>
      </div>
      <p id="count" class={`count ${over ? "problem" : ""}`} aria-live="polite">
        {over
          ? `${t.left(state.charsMax - used)}. ${t.tooLong(state.charsMax)}`
          : used >= state.charsMax * 0.9
            ? t.left(state.charsMax - used)
            : ""}
      </p>
    </form>
  );
}
