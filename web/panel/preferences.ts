// What an agent sets for this browser: appearance and sounds.
import { keep, recall } from "../shared/storage";

export interface Preferences {
  mode: "system" | "light" | "dark";
  sound: boolean;
}

const KEY = "tieline.panel.preferences";

export function loadPreferences(): Preferences {
  const kept = recall("local", KEY) as Partial<Preferences> | null;
  const mode = kept?.mode === "light" || kept?.mode === "dark" ? kept.mode : "system";
  return { mode, sound: kept?.sound !== false };
}

export function savePreferences(preferences: Preferences): void {
  keep("local", KEY, preferences);
}

/** Inside a CRM the page around is light unless the agent says otherwise; alone, the system decides. */
export function applyMode(mode: Preferences["mode"], inHost: boolean): void {
  const root = document.documentElement;
  if (mode === "system" && !inHost) delete root.dataset.mode;
  else root.dataset.mode = mode === "dark" ? "dark" : "light";
}
