// Which host is around this page. The daemon lists the origins it trusts; a page can ask, but not decide.
import { panel as t } from "../shared/words";
import { dynamics, dynamicsOrigin, sessionTemplate } from "./dynamics";
import type { Found, Host, Vendor } from "./host";
import { salesforce, salesforceOrigin } from "./salesforce";
import { standalone } from "./standalone";
import { zafPlace } from "./zaf";
import { zendesk } from "./zendesk";

/** The origins the daemon wrote into the page. */
export function trustedOrigins(page: Document): string[] {
  const content = page.querySelector<HTMLMetaElement>('meta[name="tieline-hosts"]')?.content ?? "";
  return content.split(/\s+/u).filter((word) => word !== "");
}

/** Exact, or `https://*.example.com` for a vendor's documented hosts. */
export function isTrusted(origin: string, trusted: string[]): boolean {
  return trusted.some((entry) => {
    if (!entry.startsWith("https://*.")) return entry.replace(/\/$/u, "") === origin;
    return (
      origin.startsWith("https://") && origin.endsWith(entry.slice("https://*".length)) && origin.length > entry.length
    );
  });
}

/** Where this page stands, as its own address tells it. */
export interface Standing {
  search: string;
  hash: string;
  /** Origins of the pages around, innermost first; empty where the browser does not tell. */
  ancestors: readonly string[];
}

/** A CRM page that says it is around, and how to reach it once it is trusted. */
interface Claim {
  vendor: Vendor;
  origin: string;
  /** Nothing when this page is only the CRM's background frame. */
  open: () => Promise<Host | null>;
}

/** The CRM page that this page's address speaks of, if any. */
export function claimed({ search, hash, ancestors }: Standing): Claim | null {
  const lightning = salesforceOrigin(search);
  if (lightning !== null) return { vendor: "salesforce", origin: lightning, open: () => salesforce(lightning) };
  const place = zafPlace(search, hash);
  if (place !== null) return { vendor: "zendesk", origin: place.origin, open: () => zendesk(place) };
  const environment = dynamicsOrigin(search, ancestors);
  if (environment === null) return null;
  const open = (): Promise<Host> => dynamics(environment, sessionTemplate(search));
  return { vendor: "dynamics", origin: environment, open };
}

/** The connection the panel's address names (`?connection=…`). */
export function namedConnection(search: string): string | null {
  return new URLSearchParams(search).get("connection") || null;
}

const isConnection = (id: string): boolean => /^[a-z0-9_.-]{1,64}$/u.test(id);

export async function chooseHost(page: Document, standing: Standing): Promise<Found> {
  const alone = (problem: string | null): Found => ({ host: standalone(), page: null, problem, background: false });
  const claim = claimed(standing);
  if (claim === null) return alone(null);
  if (!isTrusted(claim.origin, trustedOrigins(page))) return alone(t.host.untrusted(claim.origin));
  try {
    const host = await claim.open();
    if (host === null) return { ...alone(null), background: true };
    const named = namedConnection(standing.search);
    const connection = named !== null && isConnection(named) ? named : null;
    const problem = named === connection ? null : t.host.badConnection;
    return { host, page: { vendor: claim.vendor, connection }, problem, background: false };
  } catch (error) {
    return alone(error instanceof Error ? error.message : String(error));
  }
}
