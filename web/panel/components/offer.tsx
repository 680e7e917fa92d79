// What rings: an offer covers the list until it is answered or runs out; a call stands above it.
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Icon } from "../../shared/icons";
import { useSecond } from "../../shared/store";
import { sentence } from "../../shared/text";
import { left, span } from "../../shared/time";
import type { CallCard as Call, Lookup, Match, Offer, Person } from "../../shared/types.gen";
import { panel as t } from "../../shared/words";
import { connectionName, serverNow, usePanel } from "../context";
import { agreedName, contactMatch, underway } from "../state";
import { Certain, CrmMark, Disagreement, Lookups } from "./lookups";

export function OfferCard({ offer, rejectArmed }: { offer: Offer; rejectArmed: boolean }): JSX.Element {
  const { control, state } = usePanel();
  useSecond();
  const accept = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    // Never takes the focus from somebody who types.
    if (document.activeElement === document.body) accept.current?.focus({ preventScroll: true });
  }, [offer.offer]);
  const now = serverNow(state);
  const remaining = offer.deadline - now;
  const name = offer.person.name ?? t.noName;
  const busy = underway(state, "accept_offer") || underway(state, "reject_offer");
  const mayReject = state.view?.me.may_reject ?? false;
  return (
    // What counts stands in timers, which a screen reader leaves alone; the rest is said once.
    <section class="offer" aria-label={t.offer.label} role="alert">
      <div class="offer-head">
        <span class="offer-kind">
          <Icon name="chat" /> {t.offer.title(offer.queue_name)}
        </span>
        <Ring remaining={remaining} whole={offer.deadline - offer.offered_at} />
      </div>
      <div class="offer-who" role="group" tabIndex={0} aria-label={`${name}. ${t.offer.details}`}>
        <p class="offer-name">
          <bdi>{name}</bdi>
        </p>
        <p class="offer-sub">
          <span role="timer">{t.offer.waiting(span(now - offer.waiting_since))}</span>
          {offer.version > 1 && ` · ${t.offer.again(offer.version)}`}
          <span class="offer-more" aria-hidden="true">
            {" "}
            · {t.offer.details} <Icon name="down" />
          </span>
        </p>
        <Details person={offer.person} />
      </div>
      <BestMatches lookups={offer.lookups} />
      <div class="actions offer-actions">
        <button
          ref={accept}
          class="button button-main"
          disabled={busy}
          aria-keyshortcuts="A"
          onClick={() => control.act({ deed: "accept_offer", offer: offer.offer })}
        >
          {t.offer.accept} <kbd>A</kbd>
        </button>
        <button
          class={`button ${rejectArmed ? "button-bad" : ""}`}
          // Not `disabled`: the reason must be reachable by keyboard and shown on hover.
          aria-disabled={!mayReject || busy}
          title={mayReject ? undefined : t.offer.mayNotReject}
          aria-keyshortcuts="R"
          onClick={() => mayReject && !busy && control.act({ deed: "reject_offer", offer: offer.offer })}
        >
          {t.offer.reject} <kbd>R</kbd>
        </button>
      </div>
      {rejectArmed && (
        <p class="offer-armed" role="status">
          {t.offer.rejectAgain}
        </p>
      )}
      {!mayReject && <p class="offer-why">{t.offer.mayNotReject}</p>}
    </section>
  );
}

function Ring({ remaining, whole }: { remaining: number; whole: number }): JSX.Element {
  const part = Math.max(0, Math.min(1, remaining / Math.max(1, whole)));
  const words = left(remaining);
  return (
    <span class="ring" role="timer" aria-label={t.offer.left(words)} title={t.offer.left(words)}>
      <svg viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">
        <circle cx="10" cy="10" r="8" fill="none" stroke="var(--line)" stroke-width="3" />
        <circle
          class="ring-part"
          cx="10"
          cy="10"
          r="8"
          fill="none"
          stroke="currentColor"
          stroke-width="3"
          pathLength="100"
          stroke-dasharray={`${part * 100} 100`}
          transform="rotate(-90 10 10)"
        />
      </svg>
      <span aria-hidden="true">{words}</span>
    </span>
  );
}

/** First name, last name, e-mail and the answers (A14); opens on hover and on focus. */
function Details({ person }: { person: Person }): JSX.Element {
  return (
    <dl class="facts">
      <Fact name={t.contact.firstName} value={person.first_name} />
      <Fact name={t.contact.lastName} value={person.last_name} />
      <Fact name={t.contact.email} value={person.email} />
      <Fact name={t.contact.phone} value={person.phone} />
      <Fact name={t.contact.caseNumber} value={person.case_number} />
      {Object.entries(person.answers ?? {}).map(([label, answer]) => (
        <Fact key={label} name={label} value={answer} />
      ))}
      <Fact name={t.contact.page} value={person.page} />
    </dl>
  );
}

/** The offer's customer, beside it where there is room. Nothing can be chosen before the chat is accepted. */
export function OfferPane({ offer }: { offer: Offer }): JSX.Element {
  return (
    <div class="pane">
      <h2>{t.contact.customer}</h2>
      <p class="pane-name">
        <bdi>{offer.person.name ?? t.noName}</bdi>
      </p>
      <Details person={offer.person} />
      <BestMatches lookups={offer.lookups} />
    </div>
  );
}

export function Fact({ name, value }: { name: string; value: string | null | undefined }): JSX.Element | null {
  if (value === null || value === undefined || value === "") return null;
  return (
    <>
      <dt>{name}</dt>
      <dd>
        <bdi>{value}</bdi>
      </dd>
    </>
  );
}

/** The rest stands in the contact pane once the chat is accepted. */
const SHOWN_MAX = 3;

/** The best of each connection: enough to know who it is before answering. */
function BestMatches({ lookups }: { lookups: Lookup[] }): JSX.Element | null {
  if (lookups.length === 0) return null;
  const [only] = lookups;
  return (
    <>
      <Disagreement lookups={lookups} />
      <ul class="best">
        {lookups.map((lookup) => (
          <li key={lookup.connection}>
            {lookup.matches.length === 0 ? (
              <Unmatched lookup={lookup} />
            ) : lookup === only && lookups.length === 1 ? (
              lookup.matches
                .slice(0, SHOWN_MAX)
                .map((match) => (
                  <BestMatch key={match.record.id} connection={lookup.connection} match={match} title={match.title} />
                ))
            ) : (
              <OneLine lookup={lookup} />
            )}
          </li>
        ))}
      </ul>
    </>
  );
}

function Unmatched({ lookup }: { lookup: Lookup }): JSX.Element {
  const { state } = usePanel();
  return (
    <p class={`best-none ${lookup.state.state === "failed" ? "wait-warn" : ""}`}>
      <CrmMark connection={lookup.connection} />
      <LookupWords lookup={lookup} crm={connectionName(state, lookup.connection)} />
    </p>
  );
}

/** One of several connections: its contact, or how many it could be. */
function OneLine({ lookup }: { lookup: Lookup }): JSX.Element | null {
  const { connection, matches, more } = lookup;
  const [first] = matches;
  const contact = contactMatch(lookup);
  if (first === undefined) return null;
  // The contact's name with the case the customer gave, where there are both.
  if (contact !== null && first !== contact && first.basis === "case_number")
    return <BestMatch connection={connection} match={{ ...first, subtitle: first.title }} title={contact.title} />;
  if (contact !== null || matches.length === 1)
    return <BestMatch connection={connection} match={contact ?? first} title={(contact ?? first).title} />;
  return (
    <div class="best-match">
      <CrmMark connection={connection} />
      <span class="best-words">
        <span class="best-title best-several">
          <bdi>{matches.map((match) => match.title).join(" · ")}</bdi>
        </span>
        <span class="best-sub">{t.contact.possible(matches.length, more)}</span>
      </span>
    </div>
  );
}

export function LookupWords({ lookup, crm }: { lookup: Lookup; crm: string }): JSX.Element {
  switch (lookup.state.state) {
    case "looking":
      return <span>{t.contact.looking(crm)}</span>;
    case "failed":
      return <span>{sentence(t.contact.failed(crm, lookup.state.reason))}</span>;
    case "done":
      return <span>{t.contact.nobody(crm)}</span>;
  }
}

function BestMatch({ connection, match, title }: { connection: string; match: Match; title: string }): JSX.Element {
  return (
    <div class="best-match">
      <CrmMark connection={connection} />
      <span class="best-words">
        <span class="best-title">
          <bdi>{title}</bdi>
        </span>
        <span class="best-sub">
          {match.subtitle ? (
            <>
              <bdi>{match.subtitle}</bdi> ·{" "}
            </>
          ) : null}
          <Certain match={match} />
        </span>
      </span>
    </div>
  );
}

export function CallCard({ call }: { call: Call }): JSX.Element {
  const { state } = usePanel();
  useSecond();
  const now = serverNow(state);
  const ringing = call.answered_at === null;
  const name = agreedName(call.lookups);
  return (
    <section
      class={`call ${ringing ? "call-ringing" : ""}`}
      aria-label={ringing ? t.call.ringing : t.call.talking}
      role={ringing ? "alert" : "group"}
    >
      <div class="offer-head">
        <span class="offer-kind">
          <Icon name="phone" /> {ringing ? t.call.ringing : t.call.talking}
          {call.queue_name !== null && ` · ${call.queue_name}`}
        </span>
        <span class="ring" role="timer">
          {span(now - (call.answered_at ?? call.rang_at))}
        </span>
      </div>
      <p class="offer-name">
        <bdi>{name ?? call.from ?? t.unknownCaller}</bdi>
      </p>
      <p class="offer-sub">
        {[call.from, call.to === null ? null : `${t.call.to} ${call.to}`].filter((part) => part !== null).join(" ")}
      </p>
      <BestMatches lookups={call.lookups} />
      {call.lookups.some((lookup) => lookup.matches.length > 0) && (
        <details class="call-contact only-narrow">
          <summary>{t.call.contact}</summary>
          <Lookups interaction={call.interaction} lookups={call.lookups} />
        </details>
      )}
      {ringing && <p class="offer-why">{t.call.answerOnPhone}</p>}
    </section>
  );
}
