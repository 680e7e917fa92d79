// A text field that grows with its text up to some lines, also when it was hidden while the text came.
import type { RefObject } from "preact";
import { useEffect, useLayoutEffect } from "preact/hooks";

const EDGES_PX = 18;

export function useGrowing(field: RefObject<HTMLTextAreaElement | null>, text: string, linesMax: number): void {
  const grow = (): void => {
    const element = field.current;
    if (element === null) return;
    element.style.height = "auto";
    const line = parseFloat(getComputedStyle(element).lineHeight) || 20;
    element.style.height = `${Math.min(element.scrollHeight + 2, line * linesMax + EDGES_PX)}px`;
  };
  useLayoutEffect(grow, [text]);
  useEffect(() => {
    const element = field.current;
    if (element === null) return;
    let width = element.clientWidth;
    const watch = new ResizeObserver(() => {
      if (element.clientWidth === width) return;
      width = element.clientWidth;
      grow();
    });
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
}
