// What calls an agent who looks elsewhere: title, favicon, one sound for an offer, another for a customer's message.
import type { Store } from "../shared/store";
import { panel as t } from "../shared/words";
import type { PanelAction, PanelState } from "./state";

const BLINK_MS = 1_000;

let audio: AudioContext | null = null;

function tone(notes: readonly (readonly [hertz: number, at: number])[]): void {
  try {
    audio ??= new AudioContext();
    for (const [hertz, at] of notes) {
      const start = audio.currentTime + at;
      const oscillator = audio.createOscillator();
      const gain = audio.createGain();
      oscillator.frequency.value = hertz;
      gain.gain.setValueAtTime(0, start);
      gain.gain.linearRampToValueAtTime(0.12, start + 0.02);
      gain.gain.exponentialRampToValueAtTime(0.001, start + 0.35);
      oscillator.connect(gain).connect(audio.destination);
      oscillator.start(start);
      oscillator.stop(start + 0.4);
    }
  } catch {
    // No sound device, or no click on the page yet: title and favicon still call.
  }
}

const OFFER = [
  [660, 0],
  [880, 0.16],
] as const;
const MESSAGE = [[520, 0]] as const;

/** Starts; gives how to stop. */
export function startAlerts(store: Store<PanelState, PanelAction>, sound: () => boolean): () => void {
  let phase = false;
  const icon = document.querySelector<HTMLLinkElement>("#favicon");
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  const show = (): void => {
    const state = store.get();
    const who = ringing(state);
    const unread = [...state.unread.values()].reduce((sum, n) => sum + n, 0);
    phase = who !== null && (still.matches || !phase);
    document.title = who !== null && phase ? t.title.ringing(who) : unread > 0 ? t.title.unread(unread) : t.product;
    const href = phase ? "/assets/icon-ringing.svg" : "/assets/icon.svg";
    if (icon !== null && icon.getAttribute("href") !== href) icon.href = href;
  };
  const timer = setInterval(show, BLINK_MS);
  const unsubscribe = store.subscribe((state, before) => {
    if (ringing(state) !== null && ringing(before) === null) {
      if (sound()) tone(OFFER);
      show();
    }
    if (sound() && quietMessage(state, before)) tone(MESSAGE);
  });
  return () => {
    clearInterval(timer);
    unsubscribe();
    document.title = t.product;
  };
}

function ringing(state: PanelState): string | null {
  const view = state.view;
  if (view === null) return null;
  if (view.offer !== null) return `${view.offer.queue_name} · ${view.offer.person.name ?? t.noName}`;
  const call = view.calls.find((one) => one.answered_at === null);
  return call === undefined ? null : `${t.call.ringing} · ${call.from ?? t.unknownCaller}`;
}

/** A customer's message arrived in a chat that is not in front of the agent. */
function quietMessage(state: PanelState, before: PanelState): boolean {
  if (state.unread === before.unread) return false;
  return [...state.unread].some(([interaction, n]) => n > (before.unread.get(interaction) ?? 0));
}
