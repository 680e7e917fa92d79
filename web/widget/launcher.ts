// `/widget.js`: one button in a company's page. Loads the chat only when it is opened, or when a chat already runs.
// <script src="https://…/widget.js" data-tenant="demo" data-queue="support" async></script>
import { widget as t } from "../shared/words";
import type { Looks, ToFrame, ToLauncher } from "./protocol";

const WIDTH_PX = 376;
const HEIGHT_PX = 640;
const PHONE_PX = 480;

const STYLE = `
:host { all: initial; }
button {
  position: fixed; bottom: 20px; right: 20px; width: 56px; height: 56px; z-index: 2147483000;
  border: 0; border-radius: 50%; padding: 0; cursor: pointer; display: grid; place-items: center;
  background: var(--colour); color: var(--colour-text);
  box-shadow: 0 4px 16px rgb(0 0 0 / 24%), 0 1px 3px rgb(0 0 0 / 20%);
}
button:hover { filter: brightness(1.08); }
button:focus-visible { outline: 3px solid var(--colour); outline-offset: 3px; }
svg { width: 26px; height: 26px; fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; }
b {
  position: absolute; top: -4px; right: -4px; min-width: 22px; height: 22px; padding: 0 6px; box-sizing: border-box;
  border-radius: 11px; background: #b3261e; color: #fff; font: 700 13px/22px system-ui, sans-serif; text-align: center;
}
b[hidden] { display: none; }
iframe {
  position: fixed; bottom: 88px; right: 20px; z-index: 2147483000;
  width: ${WIDTH_PX}px; height: min(${HEIGHT_PX}px, calc(100vh - 108px));
  border: 0; border-radius: 14px; background: Canvas; color-scheme: light dark;
  box-shadow: 0 12px 48px rgb(0 0 0 / 28%), 0 2px 6px rgb(0 0 0 / 16%);
}
iframe[hidden] { display: none; }
:host([data-side="left"]) button, :host([data-side="left"]) iframe { right: auto; left: 20px; }
@media (max-width: ${PHONE_PX}px) {
  iframe { inset: 0 !important; width: 100%; height: 100%; border-radius: 0; }
  :host([data-open]) button { display: none; }
}
@media print { button, iframe { display: none; } }
`;

const CHAT = '<path d="M4 5h16v11H11l-5 4v-4H4z"/>';
const DOWN = '<path d="M6 9.5l6 6 6-6"/>';

function start(script: HTMLScriptElement): void {
  const { tenant, queue, title, greeting, fields, colour, colourText, side } = script.dataset;
  if (!tenant || !queue) {
    console.error("tieline: the script tag needs data-tenant and data-queue");
    return;
  }
  const origin = new URL(script.src).origin;
  // Not the names the frame uses: a page of the same origin shares its storage.
  const key = `tieline.launcher.${tenant}`;
  const main = usable(colour) ?? "#2b50d8";
  const looks: Looks = {
    queue,
    title: title ?? null,
    greeting: greeting ?? null,
    fields: fields ?? null,
    colour: usable(colour),
    colourText: usable(colourText),
    origin: location.origin,
  };

  const host = document.createElement("div");
  host.dataset.side = side === "left" ? "left" : "right";
  host.style.setProperty("--colour", main);
  host.style.setProperty("--colour-text", usable(colourText) ?? "#fff");
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
  const button = document.createElement("button");
  button.type = "button";
  const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  icon.setAttribute("viewBox", "0 0 24 24");
  icon.setAttribute("aria-hidden", "true");
  const badge = document.createElement("b");
  badge.setAttribute("aria-hidden", "true");
  button.append(icon, badge);
  root.append(button);

  let frame: HTMLIFrameElement | null = null;
  let open = false;
  let unread = 0;

  const tell = (): void => {
    const words: ToFrame = { tieline: "shown", open, page: location.origin + location.pathname };
    frame?.contentWindow?.postMessage(words, origin);
  };
  const draw = (): void => {
    icon.innerHTML = open ? DOWN : CHAT;
    badge.hidden = open || unread === 0;
    badge.textContent = String(unread);
    button.setAttribute("aria-label", open ? t.minimise : unread > 0 ? t.openUnread(unread) : t.open);
    button.setAttribute("aria-expanded", String(open));
    host.toggleAttribute("data-open", open);
    if (frame !== null) frame.hidden = !open;
  };
  const load = (): void => {
    if (frame !== null) return;
    frame = document.createElement("iframe");
    frame.title = t.dialog;
    const words = Object.entries(looks).filter((entry): entry is [string, string] => entry[1] !== null);
    frame.src = `${origin}/widget/${encodeURIComponent(tenant)}/#${new URLSearchParams(words)}`;
    root.append(frame);
  };
  const show = (next: boolean, focus: boolean): void => {
    open = next;
    if (open) load();
    write("sessionStorage", `${key}.open`, open);
    draw();
    tell();
    if (focus) (open ? frame : button)?.focus();
  };

  button.addEventListener("click", () => show(!open, true));
  window.addEventListener("message", (event: MessageEvent<ToLauncher>) => {
    if (frame === null || event.source !== frame.contentWindow || event.origin !== origin) return;
    switch (event.data.tieline) {
      case "ready":
        return tell();
      case "minimise":
        return show(false, true);
      case "state":
        unread = event.data.unread;
        write("localStorage", `${key}.chat`, event.data.chat);
        return draw();
    }
  });

  document.body.append(host);
  if (read("sessionStorage", `${key}.open`)) show(true, false);
  else if (read("localStorage", `${key}.chat`)) load();
  draw();
}

function usable(colour: string | undefined): string | null {
  return colour !== undefined && CSS.supports("color", colour) ? colour : null;
}

function read(area: "sessionStorage" | "localStorage", key: string): boolean {
  try {
    return window[area].getItem(key) === "1";
  } catch {
    return false;
  }
}

function write(area: "sessionStorage" | "localStorage", key: string, value: boolean): void {
  try {
    if (value) window[area].setItem(key, "1");
    else window[area].removeItem(key);
  } catch {
    // A page without storage: the chat is found again when it is opened.
  }
}

const script = document.currentScript;
if (script instanceof HTMLScriptElement) {
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => start(script));
  else start(script);
}
