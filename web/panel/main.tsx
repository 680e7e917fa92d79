// Starts the panel: finds its host, signs in, connects.
import { type JSX, render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { chooseHost } from "../hosts/choose";
import type { Found } from "../hosts/host";
import { freshId } from "../shared/ids";
import { tenantOf } from "../shared/link";
import { keep, recall } from "../shared/storage";
import type { SignedIn } from "../shared/types.gen";
import { panel as t } from "../shared/words";
import { App } from "./app";
import { SignInPage } from "./components/sign-in";
import { type Controller, control as startControl } from "./controller";
import { applyMode, loadPreferences } from "./preferences";

const tenant = tenantOf(location.pathname);
/** In this tab only: a reload of the CRM page keeps the agent signed in, closing the tab does not. */
const SESSION = `tieline.panel.session.${tenant}`;
const WANTED = { width: 400, height: 560 };

function loadSession(): SignedIn | null {
  const kept = recall("session", SESSION) as SignedIn | null;
  return kept !== null && kept.expires_at > Date.now() ? kept : null;
}

function Root({ found }: { found: Found }): JSX.Element {
  const [session, setSession] = useState(loadSession);
  const [reason, setReason] = useState<string | null>(null);
  const [control, setControl] = useState<Controller | null>(null);
  useEffect(() => {
    if (session === null) return;
    const next = startControl(session, tenant, found.host, found.page);
    if (found.problem !== null) next.store.dispatch({ type: "notice", notice: { id: freshId(), text: found.problem } });
    const leave = next.store.subscribe((state) => {
      // Only the daemon closes a socket for good: the token died or the agent may no longer sign in.
      if (state.link.kind === "closed") signOut(state.link.reason);
    });
    setControl(next);
    return () => {
      leave();
      next.stop();
      setControl(null);
    };
  }, [session]);
  const signOut = (why: string | null): void => {
    keep("session", SESSION, null);
    setReason(why);
    setSession(null);
  };
  if (session === null) {
    return (
      <SignInPage
        tenant={tenant}
        reason={reason}
        onSignedIn={(next) => {
          keep("session", SESSION, next);
          setSession(next);
        }}
      />
    );
  }
  if (control === null)
    return (
      <main class="starting">
        <p class="quiet" role="status">
          {t.link.starting}
        </p>
      </main>
    );
  return <App control={control} onSignOut={() => signOut(null)} />;
}

async function start(): Promise<void> {
  const ancestors = [...(location.ancestorOrigins ?? [])];
  const found = await chooseHost(document, { search: location.search, hash: location.hash, ancestors });
  if (found.background) return;
  const theme = found.host.kind === "standalone" ? "tieline" : found.host.kind;
  document.documentElement.dataset.theme = theme;
  applyMode(loadPreferences().mode, found.host.kind !== "standalone");
  found.host.resize(WANTED);
  const root = document.querySelector("#panel");
  if (root !== null) render(<Root found={found} />, root);
}

void start();
