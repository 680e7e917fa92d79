// What the panel wants from the CRM page around it. One adapter per CRM; the panel knows only this.
import type { PopTarget } from "../shared/types.gen";

/** A number a person clicked in the CRM. */
export interface Dialled {
  number: string;
  /** The record it stands on, where the CRM says so. */
  record: { object: string; id: string } | null;
}

/** What the agent is working on, for the host's own title line. */
export interface WorkContext {
  interaction: string;
  title: string;
}

/** What wants the agent's eye. */
export interface Attention {
  /** An offer or a call is ringing. */
  ringing: boolean;
  /** Messages not yet seen. */
  unread: number;
}

export interface Host {
  readonly kind: "standalone" | "salesforce";
  /** Can open records around the panel. Sent to the daemon, which picks one surface per pop (D3). */
  readonly canPop: boolean;
  /** Opens a record, a form or a search. Rejects with one sentence why not. */
  pop(target: PopTarget): Promise<void>;
  /** Calls back for numbers clicked in the CRM; returns how to stop. */
  onClickToDial(listener: (dialled: Dialled) => void): () => void;
  /** Tells the host what is being worked on, or nothing. */
  saveContext(context: WorkContext | null): void;
  /** Shows in the host that something wants attention. */
  notify(attention: Attention): void;
  /** Asks for room, in CSS pixels. */
  resize(size: { width: number; height: number }): void;
}

/** A host and, when it is not the one the page asked for, why. */
export interface Found {
  host: Host;
  problem: string | null;
}
