// The keyboard map. Never while typing in a field, except with Alt; never with Ctrl or Cmd, which belong to the browser.

export interface KeyDeeds {
  select(index: number): void;
  accept(): void;
  reject(): void;
  parkOrActivate(): void;
  end(): void;
  classify(): void;
  contact(): void;
  logs(): void;
  keys(): void;
  back(): void;
}

/** What a key press asks for, or nothing. By physical key with Alt, because Alt changes the letter on some keyboards. */
export function deedOf(
  event: Pick<KeyboardEvent, "key" | "code" | "altKey" | "ctrlKey" | "metaKey">,
  inField: boolean,
): keyof KeyDeeds | number | null {
  if (event.ctrlKey || event.metaKey) return null;
  if (event.key === "Escape") return "back";
  if (inField && !event.altKey) return null;
  const digit = event.altKey ? /^Digit([1-9])$/.exec(event.code)?.[1] : /^[1-9]$/.exec(event.key)?.[0];
  if (digit !== undefined) return Number(digit) - 1;
  if (event.key === "?") return "keys";
  const letter = event.altKey ? event.code.replace(/^Key/, "").toLowerCase() : event.key.toLowerCase();
  const deeds: Record<string, keyof KeyDeeds> = {
    a: "accept",
    r: "reject",
    p: "parkOrActivate",
    e: "end",
    c: "classify",
    k: "contact",
    l: "logs",
  };
  return deeds[letter] ?? null;
}

function isField(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable ||
      target instanceof HTMLTextAreaElement ||
      target instanceof HTMLSelectElement ||
      (target instanceof HTMLInputElement && !["checkbox", "radio", "button"].includes(target.type)))
  );
}

export function listenForKeys(deeds: KeyDeeds): () => void {
  const onKey = (event: KeyboardEvent): void => {
    if (event.defaultPrevented || event.isComposing || event.repeat) return;
    const deed = deedOf(event, isField(event.target));
    if (deed === null) return;
    if (deed !== "back") event.preventDefault();
    if (typeof deed === "number") deeds.select(deed);
    else (deeds[deed] as () => void)();
  };
  document.addEventListener("keydown", onKey);
  return () => document.removeEventListener("keydown", onKey);
}
