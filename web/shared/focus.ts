// Focus given by script: browsers refuse the `autofocus` attribute in a frame of another origin, and say so as an error.

/** As a `ref`: the element gets the focus when it appears, because somebody just asked for it. */
export function focusNow(element: HTMLElement | null): void {
  element?.focus();
}

/** As a `ref` on a page's first field: only where the page is not in somebody else's frame, whose focus it would take. */
export function focusIfAlone(element: HTMLElement | null): void {
  if (window.parent === window) element?.focus();
}
