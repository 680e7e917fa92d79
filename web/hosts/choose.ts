// Which host is around this page. The daemon lists the origins it trusts; a page can ask, but not decide.
import { panel as t } from "../shared/words";
import type { Found } from "./host";
import { salesforce, salesforceOrigin } from "./salesforce";
import { standalone } from "./standalone";

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

export async function chooseHost(page: Document, search: string): Promise<Found> {
  const origin = salesforceOrigin(search);
  if (origin === null) return { host: standalone(), problem: null };
  if (!isTrusted(origin, trustedOrigins(page))) return { host: standalone(), problem: t.host.untrusted(origin) };
  try {
    return { host: await salesforce(origin), problem: null };
  } catch (error) {
    return { host: standalone(), problem: error instanceof Error ? error.message : String(error) };
  }
}
