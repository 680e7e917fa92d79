// The way in.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { signIn } from "../../shared/api";
import { focusIfAlone } from "../../shared/focus";
import { Icon } from "../../shared/icons";
import { keep, recall } from "../../shared/storage";
import { sentence } from "../../shared/text";
import type { SignedIn } from "../../shared/types.gen";
import { panel as t } from "../../shared/words";

const LAST = "tieline.panel.agent";

export function SignInPage({
  tenant,
  reason,
  onSignedIn,
}: {
  tenant: string;
  reason: string | null;
  onSignedIn: (session: SignedIn) => void;
}): JSX.Element {
  const last = recall("local", LAST);
  const [agent, setAgent] = useState(typeof last === "string" ? last : "");
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const name = useRef<HTMLInputElement>(null);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => focusIfAlone(agent === "" ? name.current : field.current), []);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      const session = await signIn(tenant, { agent: agent.trim().toLowerCase(), password }, t.signIn.unreachable);
      keep("local", LAST, session.agent);
      onSignedIn(session);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      setBusy(false);
      field.current?.select();
    }
  };
  return (
    <main class="sign-in">
      <form onSubmit={submit}>
        <img src="/assets/icon.svg" alt="" width="40" height="40" />
        <h1>{t.product}</h1>
        <p class="quiet">{t.signIn.lead}</p>
        {tenant === "" && (
          <p class="problem" role="alert">
            {t.signIn.noTenant}
          </p>
        )}
        {reason !== null && problem === null && (
          <p class="problem problem-mild" role="status">
            {t.signIn.again(sentence(reason))}
          </p>
        )}
        <label class="field">
          <span>{t.signIn.agent}</span>
          <input
            name="agent"
            autoComplete="username"
            autoCapitalize="none"
            spellcheck={false}
            required
            ref={name}
            value={agent}
            onInput={(event) => setAgent(event.currentTarget.value)}
          />
        </label>
        <label class="field">
          <span>{t.signIn.password}</span>
          <input
            ref={field}
            name="password"
            type="password"
            autoComplete="current-password"
            required
            value={password}
            onInput={(event) => setPassword(event.currentTarget.value)}
          />
        </label>
        {problem !== null && (
          <p class="problem" role="alert">
            <Icon name="warn" /> {sentence(problem)}
          </p>
        )}
        <button class="button button-main" disabled={busy || tenant === ""}>
          {busy ? t.signIn.going : t.signIn.go}
        </button>
      </form>
    </main>
  );
}
