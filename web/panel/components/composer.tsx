// Where the agent writes. Enter sends, Shift+Enter breaks; nothing typed is lost, and nothing too long is cut (B9).
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { useGrowing } from "../../shared/grow";
import { Icon } from "../../shared/icons";
import { characters } from "../../shared/text";
import type { Item } from "../../shared/types.gen";
import { panel as t } from "../../shared/words";
import { queueOf, usePanel } from "../context";

const LINES_MAX = 8;
/** The counter shows from here. */
const COUNT_FROM = 0.9;
const CHARS_MAX_UNLESS_SAID = 5_000;

export function Composer({ item }: { item: Item }): JSX.Element {
  const { control, state } = usePanel();
  const field = useRef<HTMLTextAreaElement>(null);
  const { interaction } = item;
  const text = state.drafts.get(interaction) ?? "";
  const active = item.place === "active";
  const max = queueOf(state, item.queue)?.agent_chars_max ?? CHARS_MAX_UNLESS_SAID;
  const used = characters(text);
  const over = used > max;
  const sendable = active && !over && text.trim() !== "";

  useGrowing(field, text, LINES_MAX);
  useEffect(() => {
    // Only when this chat turns active, and never out of another field.
    const here = document.activeElement;
    const typingElsewhere = here instanceof HTMLTextAreaElement || here instanceof HTMLInputElement;
    if (active && !typingElsewhere) field.current?.focus();
  }, [active, interaction]);

  const send = (): void => {
    if (!sendable) return;
    control.act({ deed: "send", interaction, text });
    field.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    // An Enter that ends a composition (Japanese, Chinese) belongs to the input method.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  };
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <textarea
        ref={field}
        rows={1}
        data-composer
        dir="auto"
        value={text}
        readOnly={!active}
        aria-label={t.composer.label}
        aria-describedby="composer-note"
        aria-invalid={over}
        placeholder={active ? t.composer.placeholder : t.chat.activateToWrite}
        onInput={(event) => {
          control.store.dispatch({ type: "draft", interaction, text: event.currentTarget.value });
          if (event.currentTarget.value !== "") control.typing(interaction);
        }}
        onKeyDown={onKeyDown}
      />
      <button
        class="button button-main composer-send"
        type="submit"
        disabled={!sendable}
        aria-label={t.composer.send}
        title={t.composer.hint}
      >
        <Icon name="send" />
      </button>
      <p id="composer-note" class={`composer-note ${over ? "wait-bad" : ""}`} aria-live="polite">
        {over
          ? `${t.composer.left(max - used)}. ${t.composer.tooLong(max)}`
          : used >= max * COUNT_FROM
            ? t.composer.left(max - used)
            : ""}
        {!active && text !== "" && t.chat.activateToWrite}
      </p>
    </form>
  );
}
