// Icons as shapes of our own, 16 by 16, drawn with the text's colour. Each says by its shape what colour only underlines.
import type { JSX } from "preact";

const paths: Record<string, JSX.Element> = {
  active: <path d="M5 3.2v9.6l7.6-4.8z" fill="currentColor" />,
  parked: <path d="M4.5 3.5h2.4v9H4.5zM9.1 3.5h2.4v9H9.1z" fill="currentColor" />,
  wrapup: (
    <>
      <circle cx="8" cy="8" r="5.6" fill="none" stroke="currentColor" stroke-width="1.6" />
      <path d="M8 8V2.4A5.6 5.6 0 0 1 13.6 8z" fill="currentColor" />
    </>
  ),
  new: <path d="M8 1.8l1.8 4 4.3.5-3.2 2.9.9 4.3L8 11.3l-3.8 2.2.9-4.3L1.9 6.300l4.3-.5z" fill="currentColor" />,
  ended: <rect x="4" y="4" width="8" height="8" rx="1" fill="currentColor" />,
  warn: (
    <path
      d="M8 2l6.5 11.500h-13zM8 6.300v3.200M8 11.400v.5"
      fill="none"
      stroke="currentColor"
      stroke-width="1.5"
      stroke-linejoin="round"
      stroke-linecap="round"
    />
  ),
  alarm: (
    <>
      <path d="M8 1.600l7 12.300H1z" fill="currentColor" />
      <path d="M8 6v3.600M8 11.600v.4" stroke="var(--surface-0)" stroke-width="1.7" stroke-linecap="round" />
    </>
  ),
  hourglass: (
    <path
      d="M4.5 2.500h7M4.5 13.500h7M5.3 2.500c0 3 2.7 3.6 2.7 5.500s-2.7 2.5-2.7 5.500M10.7 2.500c0 3-2.7 3.6-2.7 5.500s2.7 2.5 2.7 5.5"
      fill="none"
      stroke="currentColor"
      stroke-width="1.4"
      stroke-linecap="round"
    />
  ),
  phone: (
    <path
      d="M4.2 2.300l2 .3 1 2.7-1.3 1.300a8 8 0 0 0 3.5 3.500l1.3-1.3 2.7 1 .3 2c0 .9-.7 1.7-1.6 1.700C6.7 13.5 2.5 9.3 2.5 3.900c0-.9.8-1.6 1.7-1.600z"
      fill="none"
      stroke="currentColor"
      stroke-width="1.4"
      stroke-linejoin="round"
    />
  ),
  chat: (
    <path
      d="M2.5 3.500h11v7.500H7.300L4.3 13.600V11H2.500z"
      fill="none"
      stroke="currentColor"
      stroke-width="1.4"
      stroke-linejoin="round"
    />
  ),
  down: (
    <path
      d="M4 6l4 4 4-4"
      fill="none"
      stroke="currentColor"
      stroke-width="1.6"
      stroke-linecap="round"
      stroke-linejoin="round"
    />
  ),
  back: (
    <path
      d="M10 3.500L5.5 8l4.5 4.5"
      fill="none"
      stroke="currentColor"
      stroke-width="1.6"
      stroke-linecap="round"
      stroke-linejoin="round"
    />
  ),
  close: <path d="M4 4l8 8M12 4l-8 8" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" />,
  more: (
    <path
      d="M3.5 8h.01M8 8h.01M12.5 8h.01"
      fill="none"
      stroke="currentColor"
      stroke-width="2.6"
      stroke-linecap="round"
    />
  ),
  check: (
    <path
      d="M3 8.500l3.2 3.200L13 5"
      fill="none"
      stroke="currentColor"
      stroke-width="1.7"
      stroke-linecap="round"
      stroke-linejoin="round"
    />
  ),
  tick: (
    <path
      d="M1.5 8.700l2.8 2.800L10 5.500M7.3 10.800l.7.700L14.5 5.5"
      fill="none"
      stroke="currentColor"
      stroke-width="1.4"
      stroke-linecap="round"
      stroke-linejoin="round"
    />
  ),
  clock: (
    <>
      <circle cx="8" cy="8" r="5.8" fill="none" stroke="currentColor" stroke-width="1.4" />
      <path d="M8 4.800V8l2.2 1.5" fill="none" stroke="currentColor" stroke-width="1.4" stroke-linecap="round" />
    </>
  ),
  send: (
    <path
      d="M2.3 8L2.8 2.8 14 8 2.8 13.200zM2.3 8H8"
      fill="none"
      stroke="currentColor"
      stroke-width="1.5"
      stroke-linejoin="round"
      stroke-linecap="round"
    />
  ),
  person: (
    <>
      <circle cx="8" cy="5.3" r="2.8" fill="none" stroke="currentColor" stroke-width="1.4" />
      <path
        d="M2.7 13.700c.5-2.9 2.6-4.2 5.3-4.200s4.8 1.3 5.3 4.2"
        fill="none"
        stroke="currentColor"
        stroke-width="1.4"
        stroke-linecap="round"
      />
    </>
  ),
  tag: (
    <path
      d="M2.5 2.500h5.200l5.8 5.8-5.2 5.2-5.8-5.800zM5.3 5.300h.01"
      fill="none"
      stroke="currentColor"
      stroke-width="1.5"
      stroke-linejoin="round"
      stroke-linecap="round"
    />
  ),
  search: (
    <>
      <circle cx="7" cy="7" r="4.3" fill="none" stroke="currentColor" stroke-width="1.5" />
      <path d="M10.3 10.300l3.2 3.2" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" />
    </>
  ),
  out: (
    <path
      d="M6.5 3.500h-3v9h9v-3M9 2.500h4.500V7M13.3 2.700L7.5 8.5"
      fill="none"
      stroke="currentColor"
      stroke-width="1.4"
      stroke-linecap="round"
      stroke-linejoin="round"
    />
  ),
  file: (
    <path
      d="M4 1.800h5.300L12.5 5v9.200H4zM9 2v3.300h3.300M6 8h4.500M6 10.600h4.5"
      fill="none"
      stroke="currentColor"
      stroke-width="1.3"
      stroke-linejoin="round"
      stroke-linecap="round"
    />
  ),
  refused: (
    <>
      <circle cx="8" cy="8" r="5.8" fill="none" stroke="currentColor" stroke-width="1.5" />
      <path d="M4 4l8 8" stroke="currentColor" stroke-width="1.5" />
    </>
  ),
  wire: (
    <path d="M3.5 13v-3M8 13V7M12.5 13V4" fill="none" stroke="currentColor" stroke-width="2.2" stroke-linecap="round" />
  ),
  wireless: (
    <>
      <path
        d="M3.5 13v-3M8 13V7M12.5 13V4"
        fill="none"
        stroke="currentColor"
        stroke-width="2.2"
        stroke-linecap="round"
        opacity="0.35"
      />
      <path d="M2.5 2.500l11 11" stroke="currentColor" stroke-width="1.7" stroke-linecap="round" />
    </>
  ),
  pencil: (
    <path
      d="M3 13l.6-2.9 7.3-7.3 2.3 2.3-7.3 7.300z"
      fill="none"
      stroke="currentColor"
      stroke-width="1.4"
      stroke-linejoin="round"
    />
  ),
};

export type IconName =
  | "active"
  | "parked"
  | "wrapup"
  | "new"
  | "ended"
  | "warn"
  | "alarm"
  | "hourglass"
  | "phone"
  | "chat"
  | "down"
  | "back"
  | "close"
  | "more"
  | "check"
  | "tick"
  | "clock"
  | "send"
  | "person"
  | "tag"
  | "search"
  | "out"
  | "file"
  | "refused"
  | "pencil"
  | "wire"
  | "wireless";

export function Icon({ name, label, class: extra }: { name: IconName; label?: string; class?: string }): JSX.Element {
  return (
    <svg
      class={`icon${extra === undefined ? "" : ` ${extra}`}`}
      viewBox="0 0 16 16"
      width="16"
      height="16"
      {...(label === undefined ? { "aria-hidden": true } : { role: "img", "aria-label": label })}
    >
      {paths[name]}
    </svg>
  );
}
