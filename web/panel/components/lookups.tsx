// Who the customer is: what they said, and what each CRM found, with how sure it is.
import type { JSX } from "preact";
import { Icon } from "../../shared/icons";
import type { CallCard, Record as CrmRecord, Item, Lookup, Match, Person } from "../../shared/types.gen";
import { panel as t } from "../../shared/words";
import { connectionName, usePanel } from "../context";
import { popUrl, underway } from "../state";
import { Fact, LookupWords } from "./offer";

/** Which CRM, as a letter and its name on hover. */
export function CrmMark({ name }: { name: string }): JSX.Element {
  return (
    <span class="crm" title={name} role="img" aria-label={name}>
      {[...name][0] ?? "·"}
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
      {lookups.map((lookup) => (
        <OneLookup key={lookup.connection} interaction={interaction} lookup={lookup} />
      ))}
    </>
  );
}

const same = (a: CrmRecord | null | undefined, b: CrmRecord | null | undefined): boolean =>
  a != null && b != null && a.id === b.id && a.object === b.object;

function OneLookup({ interaction, lookup }: { interaction: string; lookup: Lookup }): JSX.Element {
  const { control, state } = usePanel();
  const crm = connectionName(state, lookup.connection);
  const busy = underway(state, "choose_contact", interaction);
  const choose = (contact: CrmRecord | null): void => {
    control.act({ deed: "choose_contact", interaction, connection: lookup.connection, contact });
  };
  return (
    <section class="lookup" aria-label={crm}>
      <h3>
        <CrmMark name={crm} /> {crm}
      </h3>
      {lookup.matches.length === 0 && (
        <p class="quiet">
          <LookupWords lookup={lookup} crm={crm} />
        </p>
      )}
      <ul class="matches">
        {lookup.matches.map((match) => (
          <MatchRow
            key={match.record.id}
            match={match}
            crm={crm}
            chosen={
              same(lookup.contact, match.record) ||
              (match.basis === "case_number" && same(lookup.contact, match.contact))
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
  crm: string;
  chosen: boolean;
  busy: boolean;
  onChoose: () => void;
}

function MatchRow({ match, crm, chosen, busy, onChoose }: RowProps): JSX.Element {
  return (
    <li class={`match ${chosen ? "match-chosen" : ""}`}>
      <div class="match-words">
        <p class="match-title">
          <OpenRecord match={match} crm={crm} />
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

/** Opens in the CRM around the panel, or as a link where there is none. */
function OpenRecord({ match, crm }: { match: Match; crm: string }): JSX.Element {
  const { control } = usePanel();
  const title = <bdi>{match.title}</bdi>;
  if (control.host.canPop) {
    const pop = (): void => control.open({ kind: "record", record: match.record, url: match.url ?? null }, match.title);
    return (
      <button class="link" title={t.contact.openIn(crm)} onClick={pop}>
        {title}
      </button>
    );
  }
  const url = popUrl({ kind: "record", record: match.record, url: match.url ?? null });
  if (url === null) return title;
  return (
    <a class="link" href={url} target="_blank" rel="noopener noreferrer" title={t.contact.openIn(crm)}>
      {title} <Icon name="out" />
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
