// Generated from ../schemas by `npm run types`; do not edit.

/**
 * What an agent can do from the panel.
 */
export type AgentDeed =
  | {
      /**
       * "Yes, although chats are open".
       */
      confirmed?: boolean;
      deed: "set_presence";
      presence: Presence;
    }
  | {
      deed: "accept_offer";
      offer: OfferId;
    }
  | {
      deed: "reject_offer";
      offer: OfferId;
    }
  | {
      deed: "take_chat";
      interaction: InteractionId;
    }
  | {
      deed: "activate";
      interaction: InteractionId;
    }
  | {
      deed: "park";
      interaction: InteractionId;
    }
  | {
      deed: "send";
      interaction: InteractionId;
      /**
       * The text.
       */
      text: string;
    }
  | {
      deed: "end_chat";
      interaction: InteractionId;
    }
  | {
      deed: "see_end";
      interaction: InteractionId;
    }
  | {
      deed: "extend_wrap_up";
      interaction: InteractionId;
    }
  | {
      deed: "complete_wrap_up";
      interaction: InteractionId;
    }
  | {
      /**
       * Codes of the queue's list.
       */
      codes: string[];
      deed: "classify";
      interaction: InteractionId;
      remarks?: Remarks;
    }
  | {
      connection: ConnectionId;
      /**
       * The contact; `None` means none of those found.
       */
      contact?: Record | null;
      deed: "choose_contact";
      interaction: InteractionId;
    };
/**
 * A presence an agent chooses (A1).
 */
export type Presence =
  | {
      presence: "offline";
    }
  | {
      presence: "available";
    }
  | {
      presence: "on_break";
      /**
       * The named reason.
       */
      reason: string;
    }
  | {
      presence: "stop_new";
    };
/**
 * One offer of one chat to one agent.
 */
export type OfferId = string;
/**
 * A chat or a call.
 */
export type InteractionId = string;
/**
 * 1 to 64 of a-z, 0-9, `_`, `-`, `.`
 */
export type ConnectionId = string;
/**
 * 1 to 128 printable ASCII characters without spaces
 */
export type RecordId = string;
/**
 * 1 to 64 of a-z, 0-9, `_`, `-`, `.`
 */
export type AgentId = string;
/**
 * By what a record was matched.
 */
export type Basis = "phone" | "email" | "case_number";
/**
 * A moment: milliseconds since 1970-01-01T00:00:00Z.
 */
export type Timestamp = number;
/**
 * How sure a match is (D2).
 */
export type Certainty = "exact" | "normalised" | "guessed";
/**
 * Where a look-up stands.
 */
export type LookupState =
  | {
      state: "looking";
    }
  | {
      state: "done";
    }
  | {
      /**
       * Why, in words.
       */
      reason: string;
      state: "failed";
    };
/**
 * One thing that changed. Each carries the whole new value, so applying one twice is harmless.
 */
export type Change =
  | {
      change: "me";
      me: Me;
    }
  | {
      change: "offer";
      /**
       * New value.
       */
      offer: Offer | null;
    }
  | {
      change: "item";
      item: Item;
    }
  | {
      change: "item_gone";
      interaction: InteractionId;
    }
  | {
      change: "message";
      interaction: InteractionId;
      message: Message;
    }
  | {
      call: CallCard;
      change: "call";
    }
  | {
      change: "call_gone";
      interaction: InteractionId;
    }
  | {
      change: "queue";
      queue: QueueView;
    }
  | {
      change: "log";
      log: LogEntry;
    }
  | {
      /**
       * Reasons for On Break.
       */
      break_reasons: string[];
      change: "settings";
      /**
       * CRM connections of the tenant.
       */
      connections: ConnectionInfo[];
    };
/**
 * What others see of an agent (A1): derived from presence and work, in this order of precedence.
 */
export type Status =
  | {
      status: "on_call";
    }
  | {
      status: "handling_chat";
    }
  | {
      status: "wrap_up";
    }
  | {
      status: "offered";
    }
  | {
      presence: Presence;
      status: "present";
    };
/**
 * 1 to 64 of a-z, 0-9, `_`, `-`, `.`
 */
export type QueueId = string;
/**
 * What kind of interaction.
 */
export type Channel = "chat" | "call";
/**
 * Which side of a conversation.
 */
export type Side = "customer" | "agent";
/**
 * Where an item is in its agent's inbox (B1).
 */
export type Place = "new" | "active" | "parked";
/**
 * A length of time in milliseconds.
 */
export type Millis = number;
/**
 * 1 to 128 printable ASCII characters without spaces
 */
export type CommandId = string;
/**
 * Where the log of one interaction stands with one connection (D7). An agent reads this.
 */
export type LogState =
  | {
      state: "sending";
    }
  | {
      /**
       * What people call it ("Case 00001027").
       */
      label: string;
      record: Record;
      state: "saved";
      /**
       * Its address in the CRM's own pages.
       */
      url?: string | null;
    }
  | {
      next_at: Timestamp;
      /**
       * Why, in words.
       */
      reason: string;
      state: "delayed";
    }
  | {
      /**
       * Why, in words.
       */
      reason: string;
      state: "refused";
    };
/**
 * What kind of refusal it is. Clients decide by this, people read the message.
 */
export type Code =
  | "not_found"
  | "not_permitted"
  | "taken"
  | "expired"
  | "withdrawn"
  | "wrong_state"
  | "not_active"
  | "too_long"
  | "invalid"
  | "no_extensions_left"
  | "at_capacity"
  | "needs_confirmation"
  | "id_reused"
  | "busy"
  | "unavailable";
/**
 * What the daemon says to a panel.
 */
export type PanelFrame =
  | {
      frame: "snapshot";
      now: Timestamp;
      /**
       * Number of the last delta this includes.
       */
      seq: number;
      session: SessionId;
      view: PanelView;
    }
  | {
      /**
       * What.
       */
      changes: Change[];
      frame: "delta";
      now: Timestamp;
      /**
       * Number of this delta.
       */
      seq: number;
    }
  | {
      frame: "answer";
      id: CommandId;
      /**
       * Why not, if not.
       */
      refusal: Refusal | null;
    }
  | {
      for: Millis;
      frame: "typing";
      interaction: InteractionId;
    }
  | {
      connection: ConnectionId;
      frame: "pop";
      interaction: InteractionId;
      target: PopTarget;
      /**
       * What it shows, for the link that stands in when the host cannot pop.
       */
      title: string;
    }
  | {
      frame: "bye";
      /**
       * Why, in words.
       */
      reason: string;
      /**
       * Connect again after this; `None` means not by itself (sign in again).
       */
      reconnect_in: Millis | null;
    };
/**
 * One live connection of an agent's panel.
 */
export type SessionId = string;
/**
 * What to open before an agent. Each host adapter turns it into its CRM's own call.
 */
export type PopTarget =
  | {
      kind: "record";
      record: Record;
      /**
       * Its address in the CRM's own pages, for a link where no host is near.
       */
      url?: string | null;
    }
  | {
      /**
       * Field values, by the CRM's own field names.
       */
      fields: [unknown, unknown][];
      kind: "new_record";
      /**
       * The CRM's own name for the kind.
       */
      object: string;
    }
  | {
      kind: "search";
      /**
       * What to search for.
       */
      text: string;
    };
/**
 * What a panel says to the daemon.
 */
export type PanelSays =
  | {
      /**
       * This page can pop records in the CRM around it.
       */
      can_pop: boolean;
      frame: "hello";
      /**
       * The CRM page around the panel; nothing when it stands alone. Pops of a connection go to panels that stand
       * in its CRM (D0).
       */
      host?: HostPage | null;
      /**
       * The token from signing in.
       */
      token: string;
    }
  | {
      do: AgentDeed;
      frame: "do";
      id: CommandId;
    }
  | {
      frame: "typing";
      interaction: InteractionId;
    }
  | {
      frame: "resync";
    };
/**
 * Where a chat stands, as its customer sees it.
 */
export type ChatState =
  | {
      /**
       * 1 is next.
       */
      position: number;
      state: "waiting";
    }
  | {
      /**
       * The agent's name as shown.
       */
      agent: string;
      state: "talking";
    }
  | {
      by: Side;
      state: "ended";
    };
/**
 * What the daemon says to a widget.
 */
export type WidgetFrame =
  | {
      /**
       * Longest message of a customer, in characters (B9).
       */
      chars_max: number;
      frame: "snapshot";
      interaction: InteractionId;
      /**
       * What was said, in order.
       */
      messages: Message[];
      now: Timestamp;
      /**
       * Number of the last frame this includes.
       */
      seq: number;
      state: ChatState;
    }
  | {
      frame: "state";
      /**
       * Grows by one a frame on one socket.
       */
      seq: number;
      state: ChatState;
    }
  | {
      frame: "message";
      message: Message;
      /**
       * Grows by one a frame on one socket.
       */
      seq: number;
    }
  | {
      for: Millis;
      frame: "typing";
    }
  | {
      frame: "answer";
      id: CommandId;
      /**
       * Why not, if not.
       */
      refusal: Refusal | null;
    }
  | {
      frame: "token";
      /**
       * The token.
       */
      token: string;
    }
  | {
      frame: "bye";
      /**
       * Why, in words.
       */
      reason: string;
      /**
       * Connect again after this; `None` means not by itself.
       */
      reconnect_in: Millis | null;
    };
/**
 * What a widget says to the daemon.
 */
export type WidgetSays =
  | {
      frame: "hello";
      /**
       * The token from starting the chat.
       */
      token: string;
    }
  | {
      frame: "send";
      id: CommandId;
      /**
       * The text.
       */
      text: string;
    }
  | {
      frame: "end";
      id: CommandId;
    }
  | {
      frame: "typing";
    }
  | {
      frame: "resync";
    };

/**
 * What an agent wrote about an interaction beside its codes.
 */
export interface Remarks {
  /**
   * Final notes.
   */
  notes?: string;
  /**
   * Additional text of the classification (C1).
   */
  text?: string;
}
/**
 * A record in a CRM.
 */
export interface Record {
  id: RecordId;
  /**
   * The CRM's own name for the kind (`Contact`, `Case`, `incident`, `ticket`).
   */
  object: string;
}
/**
 * A call at the agent (E2).
 */
export interface CallCard {
  /**
   * The agent talks; otherwise it rings.
   */
  answered_at: Timestamp | null;
  /**
   * The caller's number; `None` when withheld.
   */
  from: string | null;
  interaction: InteractionId;
  /**
   * What the CRMs know.
   */
  lookups: Lookup[];
  /**
   * The queue's name, where it came through one.
   */
  queue_name: string | null;
  rang_at: Timestamp;
  /**
   * The number called.
   */
  to: string | null;
}
/**
 * What one connection knows about the customer of an item.
 */
export interface Lookup {
  /**
   * The agent chose it (or chose none).
   */
  chosen: boolean;
  connection: ConnectionId;
  /**
   * The contact the log goes under: the single match, or the agent's choice.
   */
  contact: Record | null;
  /**
   * What was found, best first.
   */
  matches: Match[];
  /**
   * There were more.
   */
  more: boolean;
  state: LookupState;
}
/**
 * One record a CRM found.
 */
export interface Match {
  basis: Basis;
  certainty: Certainty;
  /**
   * For a case: its contact, so that a log of this chat goes under the right person.
   */
  contact?: Record | null;
  record: Record;
  /**
   * A second line: company, status.
   */
  subtitle?: string | null;
  /**
   * What to call it: a contact's name, a case's number and subject.
   */
  title: string;
  /**
   * Address of the record in the CRM's own pages, for a link when a pop fails.
   */
  url?: string | null;
}
/**
 * The agent's own line at the top of the panel.
 */
export interface Me {
  agent: AgentId;
  /**
   * How many at most.
   */
  capacity: number;
  /**
   * Unfinished chats, a reserved offer included.
   */
  load: number;
  /**
   * The reject button works (A6).
   */
  may_reject: boolean;
  /**
   * Name as shown.
   */
  name: string;
  presence: Presence;
  status: Status;
  /**
   * May see and do a supervisor's things.
   */
  supervisor: boolean;
  /**
   * What the agent wishes for when the active item ends.
   */
  wish: Presence | null;
}
/**
 * An offer, as its agent sees it.
 */
export interface Offer {
  deadline: Timestamp;
  interaction: InteractionId;
  /**
   * What the CRMs know (A14).
   */
  lookups: Lookup[];
  offer: OfferId;
  offered_at: Timestamp;
  person: Person;
  queue: QueueId;
  /**
   * The queue's name as shown.
   */
  queue_name: string;
  /**
   * How many times this chat has been offered.
   */
  version: number;
  waiting_since: Timestamp;
}
/**
 * Who a customer says they are. Nothing here is proof (D0).
 */
export interface Person {
  /**
   * Further answers of the pre-chat form, by label.
   */
  answers?: {
    [k: string]: string;
  };
  /**
   * Case number as given.
   */
  case_number?: string | null;
  /**
   * E-mail address.
   */
  email?: string | null;
  /**
   * First name.
   */
  first_name?: string | null;
  /**
   * Last name.
   */
  last_name?: string | null;
  /**
   * Name as shown.
   */
  name?: string | null;
  /**
   * Address of the page the chat was started on.
   */
  page?: string | null;
  /**
   * Phone number as given.
   */
  phone?: string | null;
}
/**
 * An owned chat.
 */
export interface Item {
  channel: Channel;
  /**
   * Chosen codes.
   */
  codes: string[];
  /**
   * The agent has seen the end (B13).
   */
  end_seen: boolean;
  /**
   * When it ended.
   */
  ended_at: Timestamp | null;
  /**
   * Who ended it.
   */
  ended_by: Side | null;
  interaction: InteractionId;
  /**
   * What the CRMs know.
   */
  lookups: Lookup[];
  person: Person;
  place: Place;
  queue: QueueId;
  remarks: Remarks;
  started_at: Timestamp;
  /**
   * Since when the customer waits for a reply: the *first* unanswered message (B7).
   */
  unanswered_since: Timestamp | null;
  /**
   * In wrap-up, when the chat has ended.
   */
  wrap_up: WrapUpView | null;
}
/**
 * Wrap-up, as its agent sees it.
 */
export interface WrapUpView {
  /**
   * When it runs out, while it runs.
   */
  deadline: Timestamp | null;
  extension: Millis;
  /**
   * Extensions left.
   */
  extensions_left: number;
  /**
   * What is left, while it is parked.
   */
  left: Millis | null;
}
/**
 * One message of a chat.
 */
export interface Message {
  at: Timestamp;
  from: Side;
  id: CommandId;
  /**
   * The writer's name as shown.
   */
  name: string;
  /**
   * Its place: messages have one order (B10).
   */
  seq: number;
  /**
   * The text; plain, never markup.
   */
  text: string;
}
/**
 * A queue, as the agents who serve it see it.
 */
export interface QueueView {
  /**
   * Longest message of an agent, in characters (B9).
   */
  agent_chars_max: number;
  /**
   * Codes to choose from; empty means free text only (C1).
   */
  codes: string[];
  /**
   * Classification is wanted.
   */
  mandatory: boolean;
  /**
   * Name as shown.
   */
  name: string;
  /**
   * The longest wait started then.
   */
  oldest: Timestamp | null;
  queue: QueueId;
  /**
   * When the wait for a reply changes colour (B7).
   */
  reply_alert: Millis[];
  /**
   * More than one code may be chosen.
   */
  several_codes: boolean;
  /**
   * Chats that can be taken, oldest first, when the queue is `pull`; at most 50.
   */
  takeable: InteractionId[];
  /**
   * Chats waiting, offered ones included.
   */
  waiting: number;
}
/**
 * A log of the agent's and where it stands (D7).
 */
export interface LogEntry {
  closed_at: Timestamp;
  /**
   * By connection.
   */
  deliveries: DeliveryEntry[];
  interaction: InteractionId;
  /**
   * The customer's name as shown.
   */
  name: string;
  /**
   * Classification was wanted and not given (C6).
   */
  not_classified: boolean;
}
/**
 * Where a log stands with one connection.
 */
export interface DeliveryEntry {
  connection: ConnectionId;
  state: LogState;
}
/**
 * A connection as agents see its name.
 */
export interface ConnectionInfo {
  id: ConnectionId;
  /**
   * Its name as shown.
   */
  name: string;
  /**
   * Which CRM (`salesforce`).
   */
  vendor: string;
}
/**
 * The CRM page around a panel.
 */
export interface HostPage {
  /**
   * Which connection, where the panel's own address says so (`?connection=…`); else the tenant's first connection
   * of that vendor is meant.
   */
  connection?: ConnectionId | null;
  /**
   * Which CRM (`salesforce`, `dynamics`, `zendesk`).
   */
  vendor: string;
}
/**
 * The messages of one chat.
 */
export interface ItemMessages {
  interaction: InteractionId;
  /**
   * In order.
   */
  messages: Message[];
}
/**
 * The whole of what a panel shows.
 */
export interface PanelView {
  /**
   * Reasons for On Break.
   */
  break_reasons: string[];
  /**
   * Calls at the agent.
   */
  calls: CallCard[];
  /**
   * CRM connections of the tenant.
   */
  connections: ConnectionInfo[];
  /**
   * The inbox.
   */
  items: Item[];
  /**
   * The agent's latest logs, newest first; at most 10.
   */
  logs: LogEntry[];
  me: Me;
  /**
   * Messages of the inbox's chats, in order.
   */
  messages: ItemMessages[];
  /**
   * An open offer.
   */
  offer: Offer | null;
  /**
   * The agent's queues.
   */
  queues: QueueView[];
}
/**
 * Why a command was not carried out.
 */
export interface Refusal {
  code: Code;
  /**
   * The field at fault, where there is one.
   */
  field?: string | null;
  /**
   * The limit that was passed, where there is one.
   */
  limit?: number | null;
  /**
   * One sentence: what, why, and the way out.
   */
  message: string;
}
/**
 * Answer to [`StartChat`].
 */
export interface ChatStarted {
  expires_at: Timestamp;
  interaction: InteractionId;
  /**
   * Bound to this conversation, short-lived; the widget socket hands out fresh ones.
   */
  token: string;
}
/**
 * Body of `POST /api/v1/{tenant}/sign-in`.
 */
export interface SignIn {
  agent: AgentId;
  /**
   * The password.
   */
  password: string;
}
/**
 * Answer to [`SignIn`].
 */
export interface SignedIn {
  agent: AgentId;
  expires_at: Timestamp;
  /**
   * Name as shown.
   */
  name: string;
  /**
   * For the panel socket and the API.
   */
  token: string;
}
/**
 * Body of `POST /api/v1/{tenant}/chats`.
 */
export interface StartChat {
  id: CommandId;
  person?: Person;
  queue: QueueId;
}
