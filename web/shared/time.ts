// Times as people read them. Moments are the server's milliseconds.

/** `m:ss` under an hour, `h:mm:ss` above. Never negative. */
export function span(ms: number): string {
  const total = Math.max(0, Math.floor(ms / 1000));
  const seconds = String(total % 60).padStart(2, "0");
  const minutes = Math.floor(total / 60) % 60;
  const hours = Math.floor(total / 3600);
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${seconds}` : `${minutes}:${seconds}`;
}

/** A countdown rounds up, so that it shows 0:00 only when the time is over. */
export function left(ms: number): string {
  return span(Math.ceil(Math.max(0, ms) / 1000) * 1000);
}

/** The hour and minute, as the reader's language writes them. */
export function clock(at: number): string {
  return new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" }).format(at);
}

/** A day, as the reader's language writes it. */
export function day(at: number): string {
  return new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" }).format(at);
}

/** Whether two moments fall on the same day for the reader. */
export function sameDay(a: number, b: number): boolean {
  return new Date(a).toDateString() === new Date(b).toDateString();
}
