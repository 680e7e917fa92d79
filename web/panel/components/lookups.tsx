// Who the customer is: what they said, and what each CRM found, with how sure it is.
import type { JSX } from "preact";
import { Icon } from "../../shared/icons";
import type { CallCard, Record as CrmRecord, Item, Lookup, Match, Person } from "../../shared/types.gen";
import { panel as t } from "../../shared/words";
import { connectionName, usePanel } from "../context";
import { agreedName, opensHere, peopleNamed, sameRecord, underway } from "../state";
import { Fact, LookupWords } from "./offer";

/** Which CRM: a letter in a shape of its own for each vendor, and its name on hover. */
export function CrmMark({ connection }: { connection: string }): JSX.Element {
  const { state } = usePanel();
  const name = connectionName(state, connection);
  const vendor = state.view?.connections.find((one) => one.id === connection)?.vendor ?? "";
  return (
    <span class={`crm crm-${vendor}`} title={name} role="img" aria-label={name}>
      <span aria-hidden="true">{[...name][0]?.toLocaleUpperCase() ?? "·"}</span>
    </span>
  );
}

/** How sure a match is, in words and shape. */
export function Certain({ match }: { match: Match }): JSX.Element {
  return <span class={`certain certain-${match.certainty}`}>{t.contact.certainty(match.certainty, match.basis)}</span>;
}

export function ContactPane({ item }: { item: Item }): JSX.Element {
  return (
    <div class="pane">
      <h2>{t.contact.customer}</h2>
      <Said person={item.person} />
      <Lookups interaction={item.interaction} lookups={item.lookups} />
    </div>
  );
}

function Said({ person }: { person: Person }): JSX.Element {
  return (
    <>
      <p class="pane-name">
        <bdi>{person.name ?? t.noName}</bdi>
      </p>
      <dl class="facts">
        <Fact name={t.contact.email} value={person.email} />
        <Fact name={t.contact.phone} value={person.phone} />
        <Fact name={t.contact.caseNumber} value={person.case_number} />
        {Object.entries(person.answers ?? {}).map(([label, answer]) => (
          <Fact key={label} name={label} value={answer} />
        ))}
        <Fact name={t.contact.page} value={person.page} />
      </dl>
    </>
  );
}

export function Lookups({ interaction, lookups }: { interaction: string; lookups: readonly Lookup[] }): JSX.Element {
  const { state } = usePanel();
  if (lookups.length === 0) return <p class="quiet">{state.view?.connections.length === 0 ? t.contact.noCrm : null}</p>;
  return (
    <>
      <Disagreement lookups={lookups} />
      {lookups.map((lookup) => (
        <OneLookup key={lookup.connection} interaction={interaction} lookup={lookup} />
      ))}
    </>
  );
}

/** Said where the CRMs name different people; each line says whom, and nothing is merged (D0). */
export function Disagreement({ lookups }: { lookups: readonly Lookup[] }): JSX.Element | null {
  if (peopleNamed(lookups).length === 0 || agreedName(lookups) !== null) return null;
  return (
    <p class="disagree">
      <Icon name="warn" /> {t.contact.disagree}
    </p>
  );
}

function OneLookup({ interaction, lookup }: { interaction: string; lookup: Lookup }): JSX.Element {
  const { control, state } = usePanel();
  const crm = connectionName(state, lookup.connection);
  const connections = state.view?.connections ?? [];
  const here = connections.length > 1 && opensHere(connections, control.page, lookup.connection);
  const busy = underway(state, "choose_contact", interaction);
  const choose = (contact: CrmRecord | null): void => {
    control.act({ deed: "choose_contact", interaction, connection: lookup.connection, contact });
  };
  return (
    <section class="lookup" aria-label={crm}>
      <h3>
        <CrmMark connection={lookup.connection} /> {crm}
        {here && <span class="quiet"> · {t.contact.here}</span>}
      </h3>
      {lookup.matches.length === 0 && (
        <p class={lookup.state.state === "failed" ? "wait-warn" : "quiet"}>
          <LookupWords lookup={lookup} crm={crm} />
        </p>
      )}
      <ul class="matches">
        {lookup.matches.map((match) => (
          <MatchRow
            key={match.record.id}
            match={match}
            connection={lookup.connection}
            chosen={
              sameRecord(lookup.contact, match.record) ||
              (match.basis === "case_number" && sameRecord(lookup.contact, match.contact))
            }
            busy={busy}
            onChoose={() => choose(match.contact ?? match.record)}
          />
        ))}
      </ul>
      {lookup.more && <p class="quiet">{t.contact.more}</p>}
      {lookup.matches.length > 0 && !(lookup.chosen && lookup.contact === null) && (
        <button class="button button-quiet" disabled={busy} onClick={() => choose(null)}>
          {t.contact.none}
        </button>
      )}
      {lookup.chosen && lookup.contact === null && <p class="quiet">{t.contact.noneChosen}</p>}
    </section>
  );
}

interface RowProps {
  match: Match;
  connection: string;
  chosen: boolean;
  busy: boolean;
  onChoose: () => void;
}

function MatchRow({ match, connection, chosen, busy, onChoose }: RowProps): JSX.Element {
  return (
    <li class={`match ${chosen ? "match-chosen" : ""}`}>
      <div class="match-words">
        <p class="match-title">
          <OpenRecord connection={connection} record={match.record} url={match.url ?? null} title={match.title} />
        </p>
        {match.subtitle && (
          <p class="match-sub">
            <bdi>{match.subtitle}</bdi>
          </p>
        )}
        <p class="match-sub">
          <Certain match={match} />
        </p>
      </div>
      {chosen ? (
        <p class="match-mark">
          <Icon name="check" />{" "}
          {match.basis === "case_number" && match.contact ? t.contact.chosenCase : t.contact.chosen}
        </p>
      ) : (
        <button class="button button-small" disabled={busy} onClick={onChoose}>
          {t.contact.choose}
        </button>
      )}
    </li>
  );
}

interface OpenProps {
  connection: string;
  record: CrmRecord;
  url: string | null;
  title: string;
}

/** Opens in the CRM around the panel; a link where that is another CRM, or none. */
export function OpenRecord({ connection, record, url, title }: OpenProps): JSX.Element {
  const { control, state } = usePanel();
  const words = <bdi>{title}</bdi>;
  const label = t.contact.openIn(connectionName(state, connection));
  if (control.host.canPop && opensHere(state.view?.connections ?? [], control.page, connection)) {
    const pop = (): void => control.open(connection, { kind: "record", record, url }, title);
    return (
      <button class="link" title={label} onClick={pop}>
        {words}
      </button>
    );
  }
  if (url === null) return words;
  return (
    <a class="link" href={url} target="_blank" rel="noopener noreferrer" title={label}>
      {words} <Icon name="out" />
    </a>
  );
}

/** The contact of a call, beside its card, where there is room. */
export function CallPane({ call }: { call: CallCard }): JSX.Element {
  return (
    <div class="pane">
      <h2>{t.contact.title}</h2>
      <p class="pane-name">
        <bdi>{call.from ?? t.unknownCaller}</bdi>
      </p>
      <Lookups interaction={call.interaction} lookups={call.lookups} />
    </div>
  );
}
