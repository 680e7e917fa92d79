// After the chat: countdown, extensions, classification, notes, done.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "../../shared/icons";
import { useSecond } from "../../shared/store";
import { left } from "../../shared/time";
import type { Item, Remarks, WrapUpView } from "../../shared/types.gen";
import { panel as t } from "../../shared/words";
import { queueOf, serverNow, usePanel } from "../context";
import { underway } from "../state";

const HURRY_MS = 10_000;

export function WrapUp({ item, wrapUp }: { item: Item; wrapUp: WrapUpView }): JSX.Element {
  const { control, state } = usePanel();
  useSecond();
  const { interaction } = item;
  const flush = useRef<() => void>(() => undefined);
  const running = wrapUp.deadline !== null;
  const remaining = wrapUp.deadline === null ? wrapUp.left : wrapUp.deadline - serverNow(state);
  const words =
    remaining === null
      ? t.wrapUp.noLimit
      : running
        ? t.wrapUp.left(left(remaining))
        : t.wrapUp.stopped(left(remaining));
  const none = wrapUp.extensions_left === 0;
  const timed = remaining !== null;
  return (
    <section class="wrapup" aria-label={t.wrapUp.title}>
      <div class="wrapup-head">
        <h2>
          <Icon name={running ? "wrapup" : "parked"} class="state-wrapup" /> {t.wrapUp.title}
        </h2>
        <span
          class={`wrapup-left ${running && remaining !== null && remaining < HURRY_MS ? "wait-bad" : ""}`}
          role="timer"
        >
          {words}
        </span>
        {timed && (
          <button
            class="button button-small"
            aria-disabled={none || underway(state, "extend_wrap_up", interaction)}
            title={none ? t.wrapUp.noneLeft : undefined}
            onClick={() => !none && control.act({ deed: "extend_wrap_up", interaction })}
          >
            {t.wrapUp.extend(wrapUp.extension / 1000)}{" "}
            <span class="quiet">({t.wrapUp.extensionsLeft(wrapUp.extensions_left)})</span>
          </button>
        )}
      </div>
      <Classification item={item} flush={flush} />
      <div class="actions wrapup-foot">
        <button
          class="button button-main"
          disabled={underway(state, "complete_wrap_up", interaction)}
          onClick={() => {
            flush.current();
            if (item.ended_by === "customer" && !item.end_seen) control.act({ deed: "see_end", interaction });
            control.act({ deed: "complete_wrap_up", interaction });
          }}
        >
          <Icon name="check" /> {t.wrapUp.complete}
        </button>
      </div>
    </section>
  );
}

interface Draft {
  codes: string[];
  text: string;
  notes: string;
}

const draftOf = (item: Item): Draft => ({
  codes: item.codes,
  text: item.remarks.text ?? "",
  notes: item.remarks.notes ?? "",
});
const equal = (a: Draft, b: Draft): boolean => JSON.stringify(a) === JSON.stringify(b);
const SAVE_AFTER_MS = 800;

/** Saved by itself shortly after each change, so that the wrap-up's end loses nothing. */
export function Classification({ item, flush }: { item: Item; flush?: { current: () => void } }): JSX.Element {
  const { control, state } = usePanel();
  const [draft, setDraft] = useState(() => draftOf(item));
  const sent = useRef(draft);
  const latest = useRef(draft);
  latest.current = draft;
  const { interaction } = item;
  const queue = queueOf(state, item.queue);
  const save = (): void => {
    if (equal(sent.current, latest.current)) return;
    sent.current = latest.current;
    const { codes, text, notes } = latest.current;
    const remarks: Remarks = { ...(text === "" ? {} : { text }), ...(notes === "" ? {} : { notes }) };
    control.act({ deed: "classify", interaction, codes, remarks });
  };
  if (flush !== undefined) flush.current = save;
  useEffect(() => {
    // What another tab or a refusal left on the server wins only while nothing here is unsaved.
    if (
      equal(sent.current, latest.current) &&
      !equal(draftOf(item), latest.current) &&
      !underway(state, "classify", interaction)
    ) {
      sent.current = draftOf(item);
      setDraft(sent.current);
    }
  }, [item]);
  useEffect(() => {
    const timer = setTimeout(save, SAVE_AFTER_MS);
    return () => clearTimeout(timer);
  }, [draft]);
  useEffect(() => () => save(), []);
  const saving = !equal(draftOf(item), draft) || underway(state, "classify", interaction);
  const codes = queue?.codes ?? [];
  return (
    <div class="classify" id="classify">
      {codes.length > 0 && (
        <Codes
          codes={codes}
          chosen={draft.codes}
          several={queue?.several_codes ?? false}
          mandatory={queue?.mandatory ?? false}
          onChange={(next) => setDraft({ ...draft, codes: next })}
        />
      )}
      <label class="field">
        <span>
          {codes.length === 0 ? t.wrapUp.freeText : t.wrapUp.text}
          {codes.length === 0 && queue?.mandatory === true && <em> · {t.wrapUp.wanted}</em>}
        </span>
        <input
          type="text"
          dir="auto"
          value={draft.text}
          maxLength={2000}
          onInput={(event) => setDraft({ ...draft, text: event.currentTarget.value })}
          onBlur={save}
        />
      </label>
      <label class="field">
        <span>
          {t.wrapUp.notes} <em>· {t.wrapUp.notesHint}</em>
        </span>
        <textarea
          rows={2}
          dir="auto"
          value={draft.notes}
          maxLength={4000}
          onInput={(event) => setDraft({ ...draft, notes: event.currentTarget.value })}
          onBlur={save}
        />
      </label>
      <p class="saved" aria-live="polite">
        {saving
          ? t.chat.sending
          : (draft.codes.length > 0 || draft.text !== "" || draft.notes !== "") && (
              <>
                <Icon name="check" /> {t.wrapUp.saved}
              </>
            )}
      </p>
    </div>
  );
}

interface CodesProps {
  codes: readonly string[];
  chosen: readonly string[];
  several: boolean;
  mandatory: boolean;
  onChange: (next: string[]) => void;
}

/** From this many codes on, a search stands above the list. */
const SEARCH_FROM = 7;

function Codes({ codes, chosen, several, mandatory, onChange }: CodesProps): JSX.Element {
  const [search, setSearch] = useState("");
  const found = codes.filter((code) => code.toLocaleLowerCase().includes(search.trim().toLocaleLowerCase()));
  const toggle = (code: string): void => {
    const rest = several ? chosen.filter((other) => other !== code) : [];
    onChange(chosen.includes(code) ? rest : [...rest, code]);
  };
  return (
    <fieldset class="codes">
      <legend>
        {t.wrapUp.classification}
        {mandatory && chosen.length === 0 && <em> · {t.wrapUp.wanted}</em>}
      </legend>
      {codes.length >= SEARCH_FROM && (
        <span class="search">
          <Icon name="search" />
          <input
            type="search"
            value={search}
            placeholder={t.wrapUp.search}
            aria-label={t.wrapUp.search}
            onInput={(event) => setSearch(event.currentTarget.value)}
          />
        </span>
      )}
      <div class="code-list">
        {found.map((code) => (
          <label key={code} class="chip">
            <input type="checkbox" checked={chosen.includes(code)} onChange={() => toggle(code)} />
            <span>{code}</span>
          </label>
        ))}
        {found.length === 0 && <p class="quiet">{t.wrapUp.noCode(search)}</p>}
      </div>
    </fieldset>
  );
}
