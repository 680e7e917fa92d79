// Browser storage that may be missing, full or forbidden (third-party frames). Then the page remembers until it closes.

const memory = new Map<string, string>();

function area(kind: "session" | "local"): Storage | null {
  try {
    return kind === "session" ? window.sessionStorage : window.localStorage;
  } catch {
    return null;
  }
}

/** Reads a value; anything unreadable counts as absent. The caller checks the shape. */
export function recall(kind: "session" | "local", key: string): unknown {
  try {
    const text = area(kind)?.getItem(key) ?? memory.get(key);
    return text === undefined || text === null ? null : JSON.parse(text);
  } catch {
    return null;
  }
}

/** Keeps a value; `null` forgets it. */
export function keep(kind: "session" | "local", key: string, value: unknown): void {
  try {
    if (value === null) {
      memory.delete(key);
      area(kind)?.removeItem(key);
      return;
    }
    const text = JSON.stringify(value);
    memory.set(key, text);
    area(kind)?.setItem(key, text);
  } catch {
    // Full or forbidden: the copy in memory stands.
  }
}
