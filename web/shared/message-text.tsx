// What somebody wrote, as text. An address in it is inert until clicked; then it says where it leads.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Icon } from "./icons";
import { pieces } from "./text";

interface Words {
  openLink: string;
  linkLeaves: (host: string) => string;
}

export function MessageText({ text, words }: { text: string; words: Words }): JSX.Element {
  return (
    <span dir="auto">
      {pieces(text).map((piece, index) =>
        piece.href === null ? (
          <span key={index}>{piece.text}</span>
        ) : (
          <Address key={index} href={piece.href} words={words} />
        ),
      )}
    </span>
  );
}

function Address({ href, words }: { href: string; words: Words }): JSX.Element {
  const [awake, setAwake] = useState(false);
  if (!awake)
    return (
      <button class="address" onClick={() => setAwake(true)}>
        {href}
      </button>
    );
  const url = new URL(href);
  return (
    <span class="address-awake">
      {href}{" "}
      <a
        class="link"
        href={href}
        target="_blank"
        rel="noopener noreferrer nofollow"
        title={words.linkLeaves(url.host || url.pathname)}
      >
        {words.openLink} · {url.host || url.pathname} <Icon name="out" />
      </a>
    </span>
  );
}
