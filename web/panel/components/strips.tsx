// Slim lines across the panel: a lost connection, a record that was not opened, a refusal.
import type { JSX } from "preact";
import { Icon } from "../../shared/icons";
import { useSecond } from "../../shared/store";
import { sentence } from "../../shared/text";
import { left } from "../../shared/time";
import { panel as t } from "../../shared/words";
import { usePanel } from "../context";

export function ConnectionBar(): JSX.Element | null {
  const { control, state } = usePanel();
  useSecond();
  const { link } = state;
  if (link.kind === "live" || link.kind === "closed" || link.kind === "idle" || state.view === null) return null;
  const queued = state.outbox.filter((one) => one.deed.deed === "send").length;
  return (
    <div class="strip strip-link">
      <p>
        <Icon name="hourglass" />{" "}
        <span role="status">
          {t.link.lost} {queued > 0 && t.link.queued(queued)}
        </span>{" "}
        <span role="timer">
          {link.kind === "waiting" ? t.link.nextTry(left(link.until - Date.now())) : t.link.trying}
        </span>
      </p>
      {link.kind === "waiting" && (
        <button class="button button-small" onClick={() => control.reconnect()}>
          {t.link.tryNow}
        </button>
      )}
    </div>
  );
}

export function MissedPops(): JSX.Element {
  const { control, state } = usePanel();
  return (
    <>
      {state.missedPops.map((pop) => (
        <div key={pop.interaction} class="strip strip-pop" role="status">
          <p>
            {pop.url === null ? (
              <strong>{t.pop.missed(pop.title)}</strong>
            ) : (
              <a class="link" href={pop.url} target="_blank" rel="noopener noreferrer">
                <bdi>{t.pop.open(pop.title)}</bdi> <Icon name="out" />
              </a>
            )}{" "}
            <span class="quiet">{sentence(pop.reason)}</span>
          </p>
          <button
            class="icon-button"
            aria-label={t.dismiss}
            title={t.dismiss}
            onClick={() => control.store.dispatch({ type: "pop_done", interaction: pop.interaction })}
          >
            <Icon name="close" />
          </button>
        </div>
      ))}
    </>
  );
}

export function Notices(): JSX.Element {
  const { control, state } = usePanel();
  return (
    <div class="notices" aria-live="assertive">
      {state.notices.map((notice) => (
        <div key={notice.id} class="strip strip-notice">
          <p>
            <Icon name="warn" /> {sentence(notice.text)}
          </p>
          <button
            class="icon-button"
            aria-label={t.dismiss}
            title={t.dismiss}
            onClick={() => control.store.dispatch({ type: "dismiss", id: notice.id })}
          >
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
