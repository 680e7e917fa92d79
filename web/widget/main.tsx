// Starts the chat in its frame: looks from the fragment, the running chat from storage, talk with the launcher.
import { type JSX, render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { tenantOf } from "../shared/link";
import type { ChatStarted } from "../shared/types.gen";
import { widget as t } from "../shared/words";
import { Chat, Header } from "./app";
import { type Controller, keepChat, runningChat, control as startControl } from "./controller";
import { Form, parseFields } from "./form";
import type { ToFrame, ToLauncher } from "./protocol";

const tenant = tenantOf(location.pathname);
const looks = new URLSearchParams(location.hash.slice(1));
const parentOrigin = looks.get("origin");
const framed = window.parent !== window && parentOrigin !== null;

function tell(words: ToLauncher): void {
  if (framed) window.parent.postMessage(words, parentOrigin);
}

function Widget(): JSX.Element {
  const [started, setStarted] = useState<ChatStarted | null>(() => runningChat(tenant));
  const [control, setControl] = useState<Controller | null>(null);
  const [page, setPage] = useState<string | null>(null);
  const shown = useRef(!framed);
  const first = useRef("");
  const root = useRef<HTMLDivElement>(null);

  useEffect(() => {
    if (started === null) return;
    const next = startControl(tenant, started, shown.current);
    if (first.current !== "") next.send(first.current);
    first.current = "";
    const leave = next.store.subscribe((state, before) => {
      if (state.unread === before.unread && state.chat === before.chat && state.link === before.link) return;
      const over = state.chat?.state === "ended" || state.link.kind === "closed";
      if (state.link.kind === "closed") {
        keepChat(tenant, null);
        // A chat of an earlier visit that is over: the form, without a word about it.
        if (state.chat === null) setStarted(null);
      }
      tell({ tieline: "state", chat: !over, unread: state.unread });
    });
    tell({ tieline: "state", chat: true, unread: 0 });
    setControl(next);
    return () => {
      leave();
      next.stop();
      setControl(null);
    };
  }, [started]);

  useEffect(() => {
    const hear = (event: MessageEvent<ToFrame>): void => {
      if (event.source !== window.parent || event.origin !== parentOrigin || event.data?.tieline !== "shown") return;
      shown.current = event.data.open;
      setPage(event.data.page);
      control?.store.dispatch({ type: "shown", shown: event.data.open });
      if (event.data.open && started === null) root.current?.querySelector<HTMLElement>("input, textarea")?.focus();
    };
    window.addEventListener("message", hear);
    tell({ tieline: "ready" });
    return () => window.removeEventListener("message", hear);
  }, [control, started]);

  useEffect(() => {
    // The frame is a dialog of its own: Tab goes round inside it, Esc leaves it.
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === "Escape") tell({ tieline: "minimise" });
      if (event.key !== "Tab") return;
      const stops = [
        ...(root.current?.querySelectorAll<HTMLElement>(
          "a[href], button:not(:disabled), input, textarea, [tabindex='0']",
        ) ?? []),
      ];
      const [head, tail] = [stops[0], stops[stops.length - 1]];
      const here = document.activeElement;
      const leaving = event.shiftKey ? here === head : here === tail;
      if (!leaving && here !== document.body) return;
      event.preventDefault();
      (event.shiftKey ? tail : head)?.focus();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);

  const title = looks.get("title") ?? t.title;
  const onMinimise = framed ? () => tell({ tieline: "minimise" }) : null;
  return (
    <div ref={root} class="widget" role="dialog" aria-label={t.dialog}>
      {started !== null && control !== null ? (
        <Chat
          control={control}
          title={title}
          onMinimise={onMinimise}
          onAgain={() => {
            keepChat(tenant, null);
            tell({ tieline: "state", chat: false, unread: 0 });
            setStarted(null);
          }}
        />
      ) : (
        <>
          <Header title={title} onMinimise={onMinimise} onEnd={null} />
          {started === null && (
            <Form
              tenant={tenant}
              queue={looks.get("queue") ?? ""}
              fields={parseFields(looks.get("fields"))}
              greeting={looks.get("greeting") ?? t.greeting}
              page={page}
              onStarted={(chat, message) => {
                first.current = message;
                keepChat(tenant, chat);
                setStarted(chat);
              }}
            />
          )}
        </>
      )}
    </div>
  );
}

const paint = (name: string, value: string | null): void => {
  if (value !== null && CSS.supports("color", value)) document.documentElement.style.setProperty(name, value);
};
paint("--colour", looks.get("colour"));
paint("--colour-text", looks.get("colourText"));
const root = document.querySelector("#widget");
if (root !== null) render(<Widget />, root);
