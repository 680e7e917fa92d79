// What the panel wants from the CRM page around it. One adapter per CRM; the panel knows only this.
import type { HostPage, PopTarget } from "../shared/types.gen";

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

/** The CRMs whose pages the panel can stand in, by the daemon's words for them. */
export type Vendor = "salesforce" | "dynamics" | "zendesk";

export interface Host {
  readonly kind: "standalone" | Vendor;
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

/** The host that was found. */
export interface Found {
  host: Host;
  /** The CRM page around the panel, as the daemon is told; nothing when it stands alone. */
  page: HostPage | null;
  /** Why it is not the one the page asked for. */
  problem: string | null;
  /** This page shows nothing and signs in nobody: it only serves the panel that stands elsewhere in the same CRM. */
  background: boolean;
}
