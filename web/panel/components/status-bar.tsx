// The agent's own line: presence, what others see, load, the wish that waits, the lamp.
import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { focusNow } from "../../shared/focus";
import { Icon } from "../../shared/icons";
import type { Me, Presence } from "../../shared/types.gen";
import { panel as t } from "../../shared/words";
import { usePanel } from "../context";
import type { Preferences } from "../preferences";
import { Menu } from "./menu";

interface Props {
  preferences: Preferences;
  onPreferences: (next: Preferences) => void;
  onKeys: () => void;
  onSignOut: () => void;
}

export function StatusBar({ preferences, onPreferences, onKeys, onSignOut }: Props): JSX.Element | null {
  const { control, state } = usePanel();
  const [open, setOpen] = useState<"presence" | "more" | null>(null);
  const presenceButton = useRef<HTMLButtonElement>(null);
  const moreButton = useRef<HTMLButtonElement>(null);
  if (state.view === null) return null;
  const { me, break_reasons } = state.view;
  const choose = (presence: Presence): void => {
    setOpen(null);
    control.act({ deed: "set_presence", presence, confirmed: false });
  };
  const live = state.link.kind === "live";
  return (
    <header class="status">
      <button
        ref={presenceButton}
        class="presence"
        aria-haspopup="menu"
        aria-expanded={open === "presence"}
        title={t.me.change}
        onClick={() => setOpen(open === "presence" ? null : "presence")}
      >
        <span class={`lamp lamp-${me.presence.presence}`} aria-hidden="true" />
        <span class="presence-name">{t.presence(me.presence)}</span>
        <Icon name="down" />
      </button>
      <span
        class="load"
        role="img"
        title={t.me.load(me.load, me.capacity)}
        aria-label={t.me.load(me.load, me.capacity)}
      >
        {me.load}/{me.capacity}
      </span>
      <span
        class={`wire ${live ? "" : "wire-down"}`}
        title={live ? t.link.lampLive : t.link.lampDown}
        role="img"
        aria-label={live ? t.link.lampLive : t.link.lampDown}
      >
        <Icon name={live ? "wire" : "wireless"} />
      </span>
      <button
        ref={moreButton}
        class="icon-button"
        aria-haspopup="menu"
        aria-expanded={open === "more"}
        aria-label={t.me.menu}
        title={t.me.menu}
        onClick={() => setOpen(open === "more" ? null : "more")}
      >
        <Icon name="more" />
      </button>
      <SecondLine me={me} />
      {open === "presence" && (
        <Menu label={t.me.change} anchor={presenceButton} onClose={() => setOpen(null)}>
          <Choice me={me} presence={{ presence: "available" }} onChoose={choose} />
          {(break_reasons.length === 0 ? [""] : break_reasons).map((reason) => (
            <Choice key={reason} me={me} presence={{ presence: "on_break", reason }} onChoose={choose} />
          ))}
          <Choice me={me} presence={{ presence: "stop_new" }} onChoose={choose} />
          <Choice me={me} presence={{ presence: "offline" }} onChoose={choose} />
        </Menu>
      )}
      {open === "more" && (
        <Menu label={t.me.menu} anchor={moreButton} onClose={() => setOpen(null)} end>
          <p class="menu-head">{me.name}</p>
          <fieldset class="menu-row">
            <legend>{t.me.mode}</legend>
            {(["system", "light", "dark"] as const).map((mode) => (
              <label key={mode} class="chip">
                <input
                  type="radio"
                  name="mode"
                  checked={preferences.mode === mode}
                  onChange={() => onPreferences({ ...preferences, mode })}
                />
                <span>{t.me.modes[mode]}</span>
              </label>
            ))}
          </fieldset>
          <button
            role="menuitemcheckbox"
            aria-checked={preferences.sound}
            class="menu-item"
            onClick={() => onPreferences({ ...preferences, sound: !preferences.sound })}
          >
            <span>{t.me.sound}</span>
            <span class="menu-note">{preferences.sound ? t.me.on : t.me.off}</span>
          </button>
          <button
            role="menuitem"
            class="menu-item"
            onClick={() => {
              setOpen(null);
              onKeys();
            }}
          >
            <span>{t.me.keys}</span>
            <kbd>?</kbd>
          </button>
          <button role="menuitem" class="menu-item" onClick={onSignOut}>
            {t.me.signOut}
          </button>
        </Menu>
      )}
    </header>
  );
}

/** Only what differs from the presence: what others see, and what comes next. */
function SecondLine({ me }: { me: Me }): JSX.Element | null {
  const differs = me.status.status !== "present";
  if (!differs && me.wish === null) return null;
  return (
    <p class="status-note" aria-live="polite">
      {differs && <span>{t.me.othersSee(t.status(me.status))}</span>}
      {me.wish !== null && (
        <span class="wish">
          <Icon name="clock" /> {t.me.wish(t.presence(me.wish))}
        </span>
      )}
    </p>
  );
}

function Choice({
  me,
  presence,
  onChoose,
}: {
  me: Me;
  presence: Presence;
  onChoose: (p: Presence) => void;
}): JSX.Element {
  const current = t.presence(me.presence) === t.presence(presence);
  return (
    <button role="menuitemradio" aria-checked={current} class="menu-item" onClick={() => onChoose(presence)}>
      <span class={`lamp lamp-${presence.presence}`} aria-hidden="true" />
      <span class="menu-words">
        <span>{t.presence(presence)}</span>
        <span class="menu-note">{t.presenceHelp[presence.presence]}</span>
      </span>
      {current && <Icon name="check" />}
    </button>
  );
}

/** Going Offline with open chats asks first (A1). */
export function ConfirmOffline(): JSX.Element | null {
  const { control, state } = usePanel();
  const presence = state.confirmPresence;
  if (presence === null) return null;
  const answer = (yes: boolean): void => {
    control.store.dispatch({ type: "presence_answered" });
    if (yes) control.act({ deed: "set_presence", presence, confirmed: true });
  };
  return (
    <div class="strip strip-ask" role="alertdialog" aria-label={t.me.goingOffline}>
      <p>{t.me.goingOffline}</p>
      <div class="actions">
        <button class="button" ref={focusNow} onClick={() => answer(false)}>
          {t.me.stay}
        </button>
        <button class="button button-bad" onClick={() => answer(true)}>
          {t.me.goOffline}
        </button>
      </div>
    </div>
  );
}
