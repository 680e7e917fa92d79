// A menu below a button: arrows move, Esc and a click elsewhere close, focus goes back where it came from.
import type { ComponentChildren, JSX, RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface Props {
  label: string;
  anchor: RefObject<HTMLElement | null>;
  onClose: () => void;
  end?: boolean;
  children: ComponentChildren;
}

const ITEMS = "[role^=menuitem], input";

export function Menu({ label, anchor, onClose, end = false, children }: Props): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const items = (): HTMLElement[] => [...(box.current?.querySelectorAll<HTMLElement>(ITEMS) ?? [])];
    (box.current?.querySelector<HTMLElement>("[aria-checked=true]") ?? items()[0])?.focus();
    const away = (event: PointerEvent): void => {
      const target = event.target as Node;
      if (!box.current?.contains(target) && !anchor.current?.contains(target)) onClose();
    };
    const key = (event: KeyboardEvent): void => {
      if (event.key === "Escape" || event.key === "Tab") {
        event.stopPropagation();
        anchor.current?.focus();
        if (event.key === "Escape") event.preventDefault();
        onClose();
        return;
      }
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      const all = items();
      const at = all.indexOf(document.activeElement as HTMLElement);
      all[(at + step + all.length) % all.length]?.focus();
    };
    document.addEventListener("pointerdown", away);
    const element = box.current;
    element?.addEventListener("keydown", key);
    return () => {
      document.removeEventListener("pointerdown", away);
      element?.removeEventListener("keydown", key);
    };
  }, []);
  return (
    <div ref={box} class={`menu ${end ? "menu-end" : ""}`} role="menu" aria-label={label}>
      {children}
    </div>
  );
}
