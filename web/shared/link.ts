// A live socket that comes back by itself. It knows frames only as far as keeping the line: `hello` first, `bye` last.

export type LinkState =
  | { kind: "idle" }
  | { kind: "connecting"; since: number }
  | { kind: "live" }
  | { kind: "waiting"; until: number }
  | { kind: "closed"; reason: string };

export interface LinkOptions<In, Out> {
  url: string;
  /** The first frame; asked for at every connect, because tokens change. */
  hello: () => Out;
  onFrame: (frame: In) => void;
  onState: (state: LinkState) => void;
}

const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 15_000;
/** A server that has not answered for this long is taken for gone; the browser itself may need minutes to see it. */
const SILENCE_MS = 8_000;

/** How long to wait before try number `attempt` (from 0): full jitter, but never at once. */
export function backoff(attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** attempt);
  return Math.round(200 + random() * (ceiling - 200));
}

type AnyIn = { frame: string };

export class Link<In extends AnyIn, Out> {
  #options: LinkOptions<In, Out>;
  #socket: WebSocket | null = null;
  #attempt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #stopped = true;
  #wanted: number | null = null;

  constructor(options: LinkOptions<In, Out>) {
    this.#options = options;
  }

  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    window.addEventListener("online", this.#now);
    document.addEventListener("visibilitychange", this.#now);
    this.#connect();
  }

  stop(): void {
    this.#stopped = true;
    window.removeEventListener("online", this.#now);
    document.removeEventListener("visibilitychange", this.#now);
    clearTimeout(this.#timer);
    clearTimeout(this.#silence);
    this.#drop();
    this.#options.onState({ kind: "idle" });
  }

  /** Sends a frame if the line is open. A frame that waits for an answer starts the watch for silence. */
  send(frame: Out, wantsAnswer = false): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    if (wantsAnswer) this.#watch();
    return true;
  }

  /** Tries now instead of waiting. */
  hurry(): void {
    this.#now();
  }

  #now = (): void => {
    if (this.#stopped || this.#socket !== null || document.visibilityState === "hidden") return;
    clearTimeout(this.#timer);
    this.#connect();
  };

  #connect(): void {
    const socket = new WebSocket(this.#options.url);
    this.#socket = socket;
    this.#options.onState({ kind: "connecting", since: Date.now() });
    this.#watch();
    socket.onopen = () => socket.send(JSON.stringify(this.#options.hello()));
    socket.onmessage = (event) => this.#hear(event);
    socket.onclose = () => {
      if (this.#socket === socket) this.#lost();
    };
  }

  #hear(event: MessageEvent): void {
    clearTimeout(this.#silence);
    this.#silence = undefined;
    if (typeof event.data !== "string") return;
    const frame = JSON.parse(event.data) as In;
    if (frame.frame === "snapshot") {
      this.#attempt = 0;
      this.#options.onState({ kind: "live" });
    }
    if (frame.frame === "bye") {
      const bye = frame as unknown as { reason: string; reconnect_in: number | null };
      if (bye.reconnect_in === null) {
        this.#stopped = true;
        this.#drop();
        this.#options.onState({ kind: "closed", reason: bye.reason });
      } else {
        this.#wanted = bye.reconnect_in;
      }
    }
    this.#options.onFrame(frame);
  }

  #watch(): void {
    if (this.#silence !== undefined) return;
    this.#silence = setTimeout(() => {
      this.#silence = undefined;
      this.#drop();
      this.#lost();
    }, SILENCE_MS);
  }

  #lost(): void {
    this.#socket = null;
    clearTimeout(this.#silence);
    this.#silence = undefined;
    if (this.#stopped) return;
    const wait = this.#wanted ?? backoff(this.#attempt);
    this.#wanted = null;
    this.#attempt += 1;
    this.#options.onState({ kind: "waiting", until: Date.now() + wait });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#connect(), wait);
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }
}

/**
 * The address of a socket on the machine this page came from. It names the contact centre, so that any machine can bring
 * it to the one that serves it.
 */
export function socketUrl(
  path: string,
  tenant: string,
  page: Pick<Location, "protocol" | "host"> = window.location,
): string {
  const scheme = page.protocol === "https:" ? "wss:" : "ws:";
  return `${scheme}//${page.host}${path}?tenant=${encodeURIComponent(tenant)}`;
}

/** The tenant in this page's own address: `/panel/{tenant}/…`, `/widget/{tenant}/…`. */
export function tenantOf(path: string): string {
  return decodeURIComponent(path.split("/")[2] ?? "");
}
