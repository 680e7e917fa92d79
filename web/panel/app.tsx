// The panel of an agent who is signed in: one column when narrow, two from 640 px, three from 1,000 px.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { useStore } from "../shared/store";
import { panel as t } from "../shared/words";
import { startAlerts } from "./alerts";
import { Conversation, type Sheet } from "./components/conversation";
import { KeysSheet } from "./components/keys-sheet";
import { Inbox, Logs, Queues } from "./components/lists";
import { CallPane, ContactPane } from "./components/lookups";
import { CallCard, OfferCard, OfferPane } from "./components/offer";
import { ConfirmOffline, StatusBar } from "./components/status-bar";
import { ConnectionBar, MissedPops, Notices } from "./components/strips";
import { PanelContext } from "./context";
import type { Controller } from "./controller";
import { listenForKeys } from "./keys";
import { applyMode, loadPreferences, savePreferences } from "./preferences";
import { inbox } from "./state";

/** How long a first `R` waits for the second. */
const REJECT_ARMED_MS = 4_000;

export function App({ control, onSignOut }: { control: Controller; onSignOut: () => void }): JSX.Element {
  const state = useStore(control.store);
  const [page, setPage] = useState<"list" | "chat">("list");
  const [sheet, setSheet] = useState<Sheet>("none");
  const [endAsked, setEndAsked] = useState(false);
  const [keysOpen, setKeysOpen] = useState(false);
  const [rejectArmed, setRejectArmed] = useState<string | null>(null);
  const [preferences, setPreferences] = useState(loadPreferences);
  const sound = useRef(preferences.sound);
  sound.current = preferences.sound;

  useEffect(() => startAlerts(control.store, () => sound.current), [control]);
  useEffect(() => applyMode(preferences.mode, control.host.kind !== "standalone"), [preferences.mode]);

  const item = state.view?.items.find((one) => one.interaction === state.selected);
  const offer = state.view?.offer ?? null;
  const calls = state.view?.calls ?? [];
  useEffect(() => {
    setEndAsked(false);
    setSheet("none");
    if (item === undefined) setPage("list");
  }, [item?.interaction]);
  useEffect(() => {
    if (item?.place === "active") setPage("chat");
  }, [item?.interaction, item?.place]);
  useEffect(() => {
    if (rejectArmed === null) return;
    const timer = setTimeout(() => setRejectArmed(null), REJECT_ARMED_MS);
    return () => clearTimeout(timer);
  }, [rejectArmed]);

  const open = (interaction: string): void => {
    control.store.dispatch({ type: "select", interaction });
    setPage("chat");
  };
  useEffect(() =>
    listenForKeys({
      select(index) {
        const row = state.view === null ? undefined : inbox(state.view)[index];
        if (row !== undefined) open(row.interaction);
      },
      accept: () => offer !== null && control.act({ deed: "accept_offer", offer: offer.offer }),
      reject() {
        if (offer === null || state.view?.me.may_reject !== true) return;
        if (rejectArmed === offer.offer) control.act({ deed: "reject_offer", offer: offer.offer });
        else setRejectArmed(offer.offer);
      },
      parkOrActivate() {
        if (item !== undefined)
          control.act({ deed: item.place === "active" ? "park" : "activate", interaction: item.interaction });
      },
      end: () => item !== undefined && item.ended_at === null && setEndAsked(true),
      classify() {
        setSheet("classify");
        requestAnimationFrame(() => document.querySelector<HTMLElement>("#classify input")?.focus());
      },
      contact() {
        const beside = document.querySelector<HTMLElement>(".detail");
        if (beside !== null && beside.offsetParent !== null) beside.focus();
        else setSheet(sheet === "contact" ? "none" : "contact");
      },
      logs() {
        setPage("list");
        requestAnimationFrame(() => {
          const logs = document.querySelector<HTMLElement>("#logs");
          logs?.scrollIntoView({ block: "nearest" });
          logs?.focus();
        });
      },
      keys: () => setKeysOpen(true),
      back() {
        if (keysOpen) setKeysOpen(false);
        else if (endAsked) setEndAsked(false);
        else if (sheet !== "none") setSheet("none");
        else setPage("list");
      },
    }),
  );

  if (state.view === null)
    return (
      <main class="starting">
        <p class="quiet" role="status">
          {t.link.starting}
        </p>
      </main>
    );
  return (
    <PanelContext.Provider value={{ control, state }}>
      <div class="panel" data-page={page} data-detail={item !== undefined || calls.length > 0}>
        <div class="strips">
          <ConnectionBar />
          <Notices />
          <ConfirmOffline />
          <MissedPops />
        </div>
        <StatusBar
          preferences={preferences}
          onPreferences={(next) => {
            setPreferences(next);
            savePreferences(next);
          }}
          onKeys={() => setKeysOpen(true)}
          onSignOut={onSignOut}
        />
        {(offer !== null || calls.length > 0) && (
          <div class="ringing">
            {calls.map((call) => (
              <CallCard key={call.interaction} call={call} />
            ))}
            {offer !== null && <OfferCard key={offer.offer} offer={offer} rejectArmed={rejectArmed === offer.offer} />}
          </div>
        )}
        <nav class="side">
          <Inbox onOpen={open} />
          <Queues />
          <Logs />
        </nav>
        <main class="main">
          {item === undefined ? (
            <p class="quiet centred main-empty">
              {offer !== null && state.view.items.length === 0
                ? t.chat.noneOffered
                : state.view.items.length === 0
                  ? t.chat.noneOpen
                  : t.chat.none}
            </p>
          ) : (
            <Conversation
              key={item.interaction}
              item={item}
              sheet={sheet}
              onSheet={setSheet}
              endAsked={endAsked}
              onEndAsked={setEndAsked}
              onBack={() => setPage("list")}
            />
          )}
        </main>
        <aside class="detail" tabIndex={-1} aria-label={t.contact.title}>
          {calls.map((call) => (
            <CallPane key={call.interaction} call={call} />
          ))}
          {item === undefined ? offer !== null && <OfferPane offer={offer} /> : <ContactPane item={item} />}
        </aside>
        {keysOpen && <KeysSheet onClose={() => setKeysOpen(false)} />}
      </div>
    </PanelContext.Provider>
  );
}
