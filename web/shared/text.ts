// Text as people count and read it. What someone wrote is text, never markup.

let segmenter: Intl.Segmenter | null = null;

/** Characters as a person counts them (B9): grapheme clusters. */
export function characters(text: string): number {
  // Plain ASCII needs no segmenter; only CR LF would count as one.
  if (/^[\x20-\x7e\n]*$/.test(text)) return text.length;
  segmenter ??= new Intl.Segmenter(undefined, { granularity: "grapheme" });
  let count = 0;
  for (const _ of segmenter.segment(text)) count += 1;
  return count;
}

/** A piece of a message: plain, or an address that may be opened after a click. */
export type Piece = { text: string; href: string | null };

const LINK = /\b(?:https?:\/\/|mailto:)[^\s<>"']+/giu;
const TRAILING = /[.,;:!?)\]}'"]+$/u;

/** Splits a message at its web and mail addresses. Only http, https and mailto become links. */
export function pieces(text: string): Piece[] {
  const out: Piece[] = [];
  let from = 0;
  for (const found of text.matchAll(LINK)) {
    const shown = found[0].replace(TRAILING, "");
    if (!URL.canParse(shown)) continue;
    if (found.index > from) out.push({ text: text.slice(from, found.index), href: null });
    out.push({ text: shown, href: shown });
    from = found.index + shown.length;
  }
  if (from < text.length) out.push({ text: text.slice(from), href: null });
  return out;
}

/** A reason as the daemon writes it (`the chat has ended`) as a sentence of its own. */
export function sentence(text: string): string {
  const [first = ""] = text;
  const ends = /[.!?…]$/u.test(text);
  return text === "" ? "" : `${first.toLocaleUpperCase()}${text.slice(first.length)}${ends ? "" : "."}`;
}

/** One or two letters that stand for a name. */
export function initials(name: string): string {
  const words = name
    .trim()
    .split(/\s+/u)
    .filter((word) => /^[\p{L}\p{N}]/u.test(word));
  const picked = words.length > 1 ? [words[0], words[words.length - 1]] : words.slice(0, 1);
  return (
    picked
      .map((word) => [...(word ?? "")][0] ?? "")
      .join("")
      .toLocaleUpperCase() || "·"
  );
}
