// Before the chat: at most four questions, as the page's script tag asks for them.
import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { startChat } from "../shared/api";
import { freshId } from "../shared/ids";
import { keep, recall } from "../shared/storage";
import { characters, sentence } from "../shared/text";
import type { ChatStarted, Person, StartChat } from "../shared/types.gen";
import { widget as t } from "../shared/words";

export type FieldName = keyof typeof t.fields;
export interface Field {
  name: FieldName;
  required: boolean;
}

const FIELDS_MAX = 4;
const DEFAULT_FIELDS = "name*,email*,case_number,message*";
const MESSAGE_CHARS_MAX = 500;

/** `name*,email*,message`: a star means needed. Unknown names are left out. */
export function parseFields(text: string | null): Field[] {
  const fields: Field[] = [];
  for (const word of (text ?? DEFAULT_FIELDS).split(",")) {
    const name = word.trim().replace(/\*$/u, "");
    if (!(name in t.fields) || fields.some((field) => field.name === name)) continue;
    fields.push({ name: name as FieldName, required: word.trim().endsWith("*") });
  }
  return fields.slice(0, FIELDS_MAX);
}

/** What the form says about a person. The message is not part of it: it becomes the chat's first message. */
export function personOf(values: Readonly<Partial<Record<FieldName, string>>>, page: string | null): Person {
  const said = (name: FieldName): string | undefined => values[name]?.trim() || undefined;
  const name = said("name");
  const words = name?.split(/\s+/u) ?? [];
  const person: Person = {};
  if (name !== undefined) person.name = name;
  if (words.length > 1) {
    person.first_name = words.slice(0, -1).join(" ");
    person.last_name = words[words.length - 1] as string;
  }
  const email = said("email");
  if (email !== undefined) person.email = email;
  const phone = said("phone");
  if (phone !== undefined) person.phone = phone;
  const caseNumber = said("case_number");
  if (caseNumber !== undefined) person.case_number = caseNumber;
  if (page !== null) person.page = page;
  return person;
}

interface Props {
  tenant: string;
  queue: string;
  fields: Field[];
  greeting: string;
  page: string | null;
  onStarted: (started: ChatStarted, message: string) => void;
}

const inputs = {
  name: { type: "text", autocomplete: "name" },
  email: { type: "email", autocomplete: "email" },
  phone: { type: "tel", autocomplete: "tel" },
  case_number: { type: "text", autocomplete: "off" },
} as const;

export function Form({ tenant, queue, fields, greeting, page, onStarted }: Props): JSX.Element {
  const key = `tieline.widget.${tenant}.form`;
  const [values, setValues] = useState<Partial<Record<FieldName, string>>>(
    () => (recall("session", key) as Partial<Record<FieldName, string>> | null) ?? {},
  );
  const [problems, setProblems] = useState<Partial<Record<FieldName, string>>>({});
  const [failure, setFailure] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  // The same request keeps its id when it is tried again; a changed one gets a new id.
  const request = useRef<{ id: string; body: string } | null>(null);

  const set = (name: FieldName, value: string): void => {
    const next = { ...values, [name]: value };
    setValues(next);
    setProblems({ ...problems, [name]: undefined });
    keep("session", key, next);
  };
  const check = (): boolean => {
    const found: Partial<Record<FieldName, string>> = {};
    for (const { name, required } of fields) {
      const value = values[name]?.trim() ?? "";
      if (required && value === "") found[name] = t.required;
      else if (name === "email" && value !== "" && !/^[^\s@]+@[^\s@]+$/u.test(value)) found[name] = t.badEmail;
      else if (name === "message" && characters(value) > MESSAGE_CHARS_MAX) found[name] = t.tooLong(MESSAGE_CHARS_MAX);
    }
    setProblems(found);
    const first = fields.find(({ name }) => found[name] !== undefined);
    if (first !== undefined) form.current?.querySelector<HTMLElement>(`[name=${first.name}]`)?.focus();
    return first === undefined;
  };
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (busy || !check()) return;
    setBusy(true);
    setFailure(null);
    const person = personOf(values, page);
    const body = JSON.stringify(person);
    if (request.current?.body !== body) request.current = { id: freshId(), body };
    const wish: StartChat = { id: request.current.id, queue, person };
    try {
      const started = await startChat(tenant, wish, t.unreachable);
      keep("session", key, { ...values, message: undefined });
      onStarted(started, values.message?.trim() ?? "");
    } catch (error) {
      setFailure(error instanceof Error ? error.message : t.unreachable);
      setBusy(false);
    }
  };
  return (
    <form ref={form} class="form" noValidate onSubmit={submit}>
      <p class="greeting">{greeting}</p>
      {fields.map(({ name, required }) => {
        const problem = problems[name];
        const shared = {
          name,
          id: `field-${name}`,
          value: values[name] ?? "",
          required,
          "aria-invalid": problem !== undefined,
          "aria-describedby": problem === undefined ? undefined : `problem-${name}`,
          onInput: (event: { currentTarget: { value: string } }) => set(name, event.currentTarget.value),
        };
        return (
          <div key={name} class="field">
            <label for={`field-${name}`}>
              {t.fields[name]}
              {!required && !t.fields[name].includes(",") && <em> ({t.optional})</em>}
            </label>
            {name === "message" ? (
              <textarea rows={3} dir="auto" {...shared} />
            ) : (
              <input maxLength={120} {...inputs[name]} {...shared} />
            )}
            {problem !== undefined && (
              <p id={`problem-${name}`} class="problem" role="alert">
                {problem}
              </p>
            )}
          </div>
        );
      })}
      {failure !== null && (
        <p class="problem problem-box" role="alert">
          {sentence(failure)}
        </p>
      )}
      <button class="main" disabled={busy}>
        {busy ? t.starting : t.start}
      </button>
    </form>
  );
}
