// Loads a CRM's own script from the CRM's own host. Its origin has been checked against the daemon's list before.
import { panel as t } from "../shared/words";

const SCRIPT_WAIT_MS = 10_000;

/** Resolves when the script has run. Rejects with one sentence why not. `data` becomes `data-…` attributes. */
export function loadScript(src: string, data: Record<string, string> = {}): Promise<void> {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    const timer = setTimeout(() => reject(new Error(t.host.scriptSlow(src))), SCRIPT_WAIT_MS);
    script.onload = () => {
      clearTimeout(timer);
      resolve();
    };
    script.onerror = () => {
      clearTimeout(timer);
      reject(new Error(t.host.scriptMissing(src)));
    };
    Object.assign(script.dataset, data);
    script.src = src;
    document.head.append(script);
  });
}

/** A CRM that never answered; asking the same again would cost the same wait. */
export class Silent extends Error {}

/** The promise, or `Silent` with `message` once it has taken too long. */
export function within<T>(ms: number, message: string, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Silent(message)), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** The origin of an address somebody wrote, or nothing. */
export function originOf(text: string | null | undefined): string | null {
  if (text === null || text === undefined || !URL.canParse(text)) return null;
  const { origin } = new URL(text);
  return origin === "null" ? null : origin;
}
