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
    }
  | {
      /**
       * Channels; without `chat` no chat is given.
       */
      channels: Channel[];
      deed: "set_availability";
      /**
       * Queues out of the agent's own; nothing means all.
       */
      queues?: QueueId[] | null;
    }
  | {
      deed: "send_notice";
      interaction: InteractionId;
      notice: Notice;
    }
  | {
      /**
       * "Yes, although the target is closed, unstaffed or full".
       */
      confirmed?: boolean;
      deed: "transfer";
      interaction: InteractionId;
      /**
       * A note for whoever takes it.
       */
      note?: string | null;
      to: TransferTo;
    }
  | {
      deed: "cancel_transfer";
      interaction: InteractionId;
    }
  | {
      agent: AgentId;
      deed: "hand_over";
      interaction: InteractionId;
    }
  | {
      deed: "leave_chat";
      interaction: InteractionId;
    }
  | {
      deed: "whisper";
      interaction: InteractionId;
      /**
       * The text.
       */
      text: string;
    }
  | {
      deed: "share_history";
      interaction: InteractionId;
    }
  | {
      deed: "open_case";
      interaction: InteractionId;
    }
  | {
      deed: "flag_abuse";
      interaction: InteractionId;
      /**
       * A note for the contact's history.
       */
      note?: string | null;
    }
  | {
      /**
       * By the field's name; at most 100.
       */
      answers: {
        [k: string]: string;
      };
      deed: "fill_script";
      interaction: InteractionId;
    }
  | {
      act: SupervisorAct;
      deed: "supervise";
      /**
       * Why, in 1 to 200 characters; the agent sees it.
       */
      reason: string;
    }
  | {
      deed: "watch";
      /**
       * From here on, or no longer.
       */
      on: boolean;
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
 * What kind of interaction.
 */
export type Channel = "chat" | "call";
/**
 * 1 to 64 of a-z, 0-9, `_`, `-`, `.`
 */
export type QueueId = string;
/**
 * Something Tieline says to a customer in the queue's own wording.
 */
export type Notice = "nudge" | "closing" | "few_minutes" | "transferred" | "agent_lost" | "overflowed" | "offline";
/**
 * Where a transfer goes (B12).
 */
export type TransferTo =
  | {
      queue: QueueId;
      to: "queue";
    }
  | {
      agent: AgentId;
      to: "agent";
      /**
       * Warm: on acceptance the agent joins as a second one, and the owner hands over when both are ready.
       */
      warm?: boolean;
    };
/**
 * 1 to 64 of a-z, 0-9, `_`, `-`, `.`
 */
export type AgentId = string;
/**
 * What a supervisor does to others' work (A15). Each comes with a reason, and the agent sees it.
 */
export type SupervisorAct =
  | {
      act: "set_presence";
      agent: AgentId;
      presence: Presence;
    }
  | {
      act: "requeue";
      interaction: InteractionId;
    }
  | {
      act: "assign";
      agent: AgentId;
      interaction: InteractionId;
    }
  | {
      act: "finish_wrap_up";
      interaction: InteractionId;
    }
  | {
      act: "join";
      interaction: InteractionId;
    }
  | {
      act: "unblock";
      /**
       * Whom.
       */
      marks: Mark[];
    };
/**
 * 1 to 128 printable ASCII characters without spaces
 */
export type Mark = string;
/**
 * A length of time in milliseconds.
 */
export type Millis = number;
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
 * Which way a call went.
 */
export type Direction = "inbound" | "outbound";
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
      change: "joined";
      joined: Joined;
    }
  | {
      change: "joined_gone";
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
      change: "colleagues";
      /**
       * New values.
       */
      colleagues: Colleague[];
    }
  | {
      change: "supervised";
      supervised: Supervised;
    }
  | {
      change: "watched";
      /**
       * Chats that are over, or fell out of the thousand.
       */
      chats_gone: InteractionId[];
      watched: Watched;
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
 * Which side of a conversation.
 */
export type Side = "customer" | "agent" | "system";
/**
 * In what capacity a further agent is at a chat.
 */
export type Guest = "consulted" | "supervisor";
/**
 * Where an item is in its agent's inbox (B1).
 */
export type Place = "new" | "active" | "parked";
/**
 * What Tieline advises the agent to do.
 */
export type Suggestion = "nudge" | "end" | "open_case" | "update";
/**
 * 1 to 128 printable ASCII characters without spaces
 */
export type CommandId = string;
/**
 * What kind of message it is.
 */
export type Said =
  | {
      kind: "words";
    }
  | {
      kind: "notice";
      notice: Notice;
    }
  | {
      /**
       * Its length.
       */
      bytes: number;
      file: ContentId;
      kind: "file";
      /**
       * Its media type, as found by looking at the bytes.
       */
      media_type: string;
    }
  | {
      expires_at: Timestamp;
      kind: "shared";
      share: ShareId;
    }
  | {
      kind: "whisper";
    }
  | {
      kind: "note";
    };
/**
 * A piece of content (a message's text, a form) kept encrypted beside the journal.
 */
export type ContentId = string;
/**
 * A transcript shared with its customer under a link that expires (B14).
 */
export type ShareId = string;
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
 * Where an open chat is, as a supervisor sees it (A15).
 */
export type ChatAt =
  | {
      at: "waiting";
    }
  | {
      agent: AgentId;
      at: "offered";
      deadline: Timestamp;
    }
  | {
      agent: AgentId;
      at: "open";
      place: Place;
    }
  | {
      agent: AgentId;
      at: "wrap_up";
      ended_at: Timestamp;
      place: Place;
    }
  | {
      at: "form";
      deadline: Timestamp;
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
  | "target_unavailable"
  | "blocked"
  | "id_reused"
  | "busy"
  | "unavailable"
  | "full";
/**
 * How a queue hands out chats (A3).
 */
export type Delivery = "offer" | "auto" | "pull";
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
      /**
       * Which agent; nothing means the customer.
       */
      agent: AgentId | null;
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
       * How long it will probably take yet. Nothing where the queue does not show it, or nothing is known.
       */
      expected_wait?: Millis | null;
      /**
       * 1 is next. Nothing where the queue does not show it.
       */
      position?: number | null;
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
      /**
       * What the queue says to that.
       */
      notice: string;
      state: "offline_form";
      until: Timestamp;
    }
  | {
      by: Side;
      /**
       * Until then at least, a return goes on with this conversation (B15); afterwards it begins a new chat. Nothing
       * when that time is over.
       */
      return_until?: Timestamp | null;
      state: "ended";
    };
/**
 * What a return came to (B15).
 */
export type Returned = "same_chat" | "same_conversation" | "new_chat";
/**
 * What the daemon says to a widget.
 */
export type WidgetFrame =
  | {
      /**
       * Longest message of a customer, in characters (B9).
       */
      chars_max: number;
      /**
       * What files the customer may send; nothing when none.
       */
      files?: FileRules | null;
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
      expires_at: Timestamp;
      frame: "returned";
      id: CommandId;
      interaction: InteractionId;
      returned: Returned;
      /**
       * Bound to that interaction.
       */
      token: string;
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
      frame: "leave_message";
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
      frame: "return";
      id: CommandId;
    }
  | {
      frame: "typing";
    }
  | {
      frame: "resync";
    };
/**
 * Why an agent is not given a waiting chat. Looked at in this order (A5, A9, A11).
 */
export type RuledOut =
  | {
      presence: Presence;
      reason: "presence";
    }
  | {
      /**
       * When the agent counts as lost, if no panel comes back.
       */
      lost_at: Timestamp | null;
      reason: "not_connected";
    }
  | {
      presence: Presence;
      reason: "wish";
    }
  | {
      reason: "no_chats";
    }
  | {
      reason: "not_this_queue";
    }
  | {
      interaction: InteractionId;
      reason: "under_offer";
    }
  | {
      interaction: InteractionId;
      reason: "on_call";
    }
  | {
      /**
       * Units the agent has.
       */
      capacity: number;
      /**
       * Units in hand, reserved ones included.
       */
      in_hand: number;
      reason: "at_capacity";
      /**
       * Units this chat takes.
       */
      takes: number;
    }
  | {
      interaction: InteractionId;
      offer_when: OfferWhen;
      reason: "at_work";
    }
  | {
      /**
       * The least level.
       */
      needs: number;
      reason: "skill_missing";
      skill: SkillId;
    }
  | {
      /**
       * The agent's level.
       */
      has: number;
      /**
       * The least level.
       */
      needs: number;
      reason: "skill_too_low";
      skill: SkillId;
    }
  | {
      reason: "declined";
      until: Timestamp;
    };
/**
 * When an agent who has chats may be presented a further one (A5).
 */
export type OfferWhen = "all_parked" | "below_capacity" | "idle";
/**
 * 1 to 64 of a-z, 0-9, `_`, `-`, `.`
 */
export type SkillId = string;
/**
 * What became of an offer.
 */
export type Fate = "accepted" | "rejected" | "missed" | "withdrawn";
/**
 * Where a chat is, and why.
 */
export type Standing =
  | Waiting
  | Given
  | {
      /**
       * When an agent first had it in hand; `None` while it lies unopened.
       */
      answered_at: Timestamp | null;
      given: Given;
      place: Place;
      standing: "owned";
      /**
       * To whom its agent has offered it (B12).
       */
      transfer: Given | null;
      /**
       * It has ended and is being wrapped up.
       */
      wrap_up: boolean;
    }
  | {
      deadline: Timestamp;
      standing: "offline_form";
    };
/**
 * A step that comes by itself.
 */
export type NextStep =
  | {
      step: "needs_less";
    }
  | {
      step: "overflows";
      to: OverflowTo;
    }
  | {
      agent: AgentId;
      step: "asks_again";
    }
  | {
      step: "opens";
    }
  | {
      step: "closes";
    };
/**
 * Where a chat goes that its queue cannot serve (A12).
 */
export type OverflowTo =
  | {
      to: "wait";
    }
  | {
      queue: QueueId;
      to: "queue";
    }
  | {
      to: "offline_form";
    };
/**
 * Who among the free agents gets the chat (A11).
 */
export type Strategy = "longest_idle" | "least_loaded" | "sticky";
/**
 * Position of an event in a tenant's journal: 1, 2, 3 … without gaps.
 */
export type Seq = number;
/**
 * What a field of a script takes.
 */
export type FieldKind = "text" | "choice" | "yes_no";

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
 * An agent's day (G1).
 */
export interface AgentToday {
  /**
   * Calls the agent answered or reached.
   */
  calls: number;
  /**
   * Chats the agent had in hand.
   */
  chats: number;
  /**
   * Offers and unopened chats missed.
   */
  missed: number;
  /**
   * Offers rejected.
   */
  rejected: number;
  /**
   * Customer messages answered.
   */
  replies: number;
  /**
   * Of those, how many within the queue's target (B17).
   */
  replies_in_time: number;
  /**
   * Chats handed on to others.
   */
  transferred: number;
  wrap_up: Millis;
  /**
   * Wrap-ups completed.
   */
  wrap_ups: number;
}
/**
 * Files in a chat (B18).
 */
export interface Attachments {
  /**
   * Largest file, in bytes.
   */
  bytes_max: number;
  /**
   * Agents may send files.
   */
  from_agent: boolean;
  /**
   * Customers may send files.
   */
  from_customer: boolean;
  /**
   * Media types that are taken (`image/png`), as found by looking at the bytes.
   */
  types: string[];
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
 * Which way a call went, and between whom (E5).
 */
export interface CallSide {
  /**
   * Which way; nothing when it is not known any more.
   */
  direction: Direction | null;
  /**
   * The caller's number; nothing when withheld.
   */
  from: string | null;
  /**
   * The number called.
   */
  to: string | null;
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
   * Channels the agent is available on (A2).
   */
  channels: Channel[];
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
  /**
   * Queues out of the agent's own that the agent is available for; nothing means all (A2).
   */
  queues: QueueId[] | null;
  status: Status;
  /**
   * May see and do a supervisor's things.
   */
  supervisor: boolean;
  today: AgentToday;
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
  /**
   * It comes from another agent, who owns the chat until it is accepted (B12).
   */
  handed_by: HandedBy | null;
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
 * Who hands a chat on (B12).
 */
export interface HandedBy {
  agent: AgentId;
  /**
   * Name as shown.
   */
  name: string;
  /**
   * The note.
   */
  note: string | null;
  /**
   * Accepting means to join; the owner hands over later.
   */
  warm: boolean;
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
  /**
   * It was flagged as abusive (C7).
   */
  abusive: boolean;
  /**
   * What was filled into the queue's script (G3).
   */
  answers: {
    [k: string]: string;
  };
  /**
   * Which way it went and between whom, if it was a call (E5).
   */
  call: CallSide | null;
  /**
   * A case was opened in mid-chat (B16).
   */
  case_opened: boolean;
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
  /**
   * Other agents at it (A15, B12).
   */
  guests: GuestView[];
  interaction: InteractionId;
  /**
   * What the CRMs know.
   */
  lookups: Lookup[];
  /**
   * When it goes back to its queue unless it is opened (A3).
   */
  open_by: Timestamp | null;
  person: Person;
  place: Place;
  /**
   * The earlier chat it goes on from (B15).
   */
  previous: InteractionId | null;
  /**
   * Its queue; nothing only for a call that came through none.
   */
  queue: QueueId | null;
  remarks: Remarks;
  service: Service;
  started_at: Timestamp;
  /**
   * What Tieline advises to do now (B8, B16).
   */
  suggestions: Suggestion[];
  /**
   * A transfer that waits for its answer (B12).
   */
  transfer: TransferView | null;
  /**
   * Since when the customer waits for a reply: the *first* unanswered message (B7).
   */
  unanswered_since: Timestamp | null;
  /**
   * It came by itself and has not been opened since then (A3, B17).
   */
  unopened_since: Timestamp | null;
  /**
   * In wrap-up, when the chat has ended.
   */
  wrap_up: WrapUpView | null;
}
/**
 * A further agent at a chat (A15, B12).
 */
export interface GuestView {
  agent: AgentId;
  guest: Guest;
  /**
   * Name as shown.
   */
  name: string;
}
/**
 * How well a chat was served (B17).
 */
export interface Service {
  connecting: Millis;
  longest_reply: Millis;
  /**
   * Customer messages, or runs of them, that were answered.
   */
  replies: number;
  /**
   * Of those, how many within the target.
   */
  replies_in_time: number;
  waited: Millis;
}
/**
 * A transfer that waits for its answer, as its sender sees it (B12).
 */
export interface TransferView {
  deadline: Timestamp;
  /**
   * Name as shown.
   */
  name: string;
  to: AgentId;
  /**
   * The agent joins first.
   */
  warm: boolean;
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
  /**
   * When it completes by itself at the latest, parked too (C8); nothing while the agent is on the phone, or when
   * there is no such limit.
   */
  maximum: Timestamp | null;
  /**
   * What is left until then, while the agent is on the phone.
   */
  maximum_left: Millis | null;
}
/**
 * A chat of another agent that this one has joined (A15, B12).
 */
export interface Joined {
  guest: Guest;
  item: Item;
  owner: AgentId;
  /**
   * The owner's name as shown.
   */
  owner_name: string;
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
  said: Said;
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
  /**
   * Its opening hours are on (A12).
   */
  open: boolean;
  /**
   * Typical time between two chats taken out of the line (A13); nothing while unknown.
   */
  pace: Millis | null;
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
   * Its agents who are at work.
   */
  staff: number;
  /**
   * Chats that can be taken, oldest first, when the queue is `pull`; at most 50.
   */
  takeable: InteractionId[];
  today: QueueToday;
  /**
   * When that changes, where it is known.
   */
  turns_at: Timestamp | null;
  /**
   * Chats waiting, offered ones included.
   */
  waiting: number;
}
/**
 * A queue's day (G1).
 */
export interface QueueToday {
  /**
   * Chats whose customer left before.
   */
  abandoned: number;
  /**
   * Chats an agent had in hand.
   */
  answered: number;
  /**
   * Chats that came.
   */
  came: number;
  /**
   * Of those, how many within the target (B17).
   */
  connected_in_time: number;
  /**
   * Chats that went elsewhere because the queue could not serve them.
   */
  overflowed: number;
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
 * An agent who shares a queue with the one who looks (A15).
 */
export interface Colleague {
  agent: AgentId;
  /**
   * Name as shown.
   */
  name: string;
  /**
   * The queues both serve.
   */
  queues: QueueId[];
  status: Status;
}
/**
 * What a supervisor did to an agent's work, and why (A15).
 */
export interface Supervised {
  act: SupervisorAct;
  at: Timestamp;
  by: AgentId;
  /**
   * Name as shown.
   */
  by_name: string;
  /**
   * Why.
   */
  reason: string;
}
/**
 * The whole floor, as a supervisor sees it (A15). No content.
 */
export interface Watched {
  /**
   * All agents.
   */
  agents: WatchedAgent[];
  /**
   * Open chats, oldest first; at most 1,000.
   */
  chats: WatchedChat[];
  /**
   * How many more there are.
   */
  more_chats: number;
  /**
   * All queues.
   */
  queues: QueueView[];
}
/**
 * An agent, as a supervisor sees one (A15).
 */
export interface WatchedAgent {
  agent: AgentId;
  /**
   * How many at most.
   */
  capacity: number;
  /**
   * Channels the agent is available on (A2).
   */
  channels: Channel[];
  /**
   * A panel is connected.
   */
  connected: boolean;
  /**
   * Units of unfinished chats, a reserved offer included.
   */
  load: number;
  /**
   * When the agent counts as lost, unless a panel comes back (A17).
   */
  lost_at: Timestamp | null;
  /**
   * Name as shown.
   */
  name: string;
  presence: Presence;
  /**
   * Queues the agent serves.
   */
  queues: QueueId[];
  /**
   * Since when; nothing when it was so before anybody could look.
   */
  since: Timestamp | null;
  status: Status;
  /**
   * What the agent wishes for when the active item ends.
   */
  wish: Presence | null;
}
/**
 * An open chat, as a supervisor sees it (A15); to read it, join it.
 */
export interface WatchedChat {
  /**
   * It was flagged as abusive (C7).
   */
  abusive: boolean;
  channel: Channel;
  /**
   * Further agents at it.
   */
  guests: AgentId[];
  interaction: InteractionId;
  place: ChatAt;
  /**
   * Its queue; nothing only for a call that came through none.
   */
  queue: QueueId | null;
  started_at: Timestamp;
  /**
   * Since when the customer waits for a reply (B7).
   */
  unanswered_since: Timestamp | null;
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
 * What a site calls the statuses (A1).
 */
export interface Labels {
  /**
   * Takes chats.
   */
  available: string;
  /**
   * Has an active chat; some say "Busy".
   */
  handling_chat: string;
  /**
   * Has an open offer.
   */
  offered: string;
  /**
   * Not at work.
   */
  offline: string;
  /**
   * At work, gets nothing.
   */
  on_break: string;
  /**
   * On a call.
   */
  on_call: string;
  /**
   * Finishes what is open.
   */
  stop_new: string;
  /**
   * Has an active wrap-up; some say "Post Processing".
   */
  wrap_up: string;
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
   * Agents who share a queue with this one (A15); at most 500.
   */
  colleagues: Colleague[];
  /**
   * CRM connections of the tenant.
   */
  connections: ConnectionInfo[];
  /**
   * All queues of the tenant, to transfer to.
   */
  directory: QueueName[];
  /**
   * The inbox.
   */
  items: Item[];
  /**
   * Chats of others the agent has joined (A15, B12).
   */
  joined: Joined[];
  labels: Labels;
  /**
   * The agent's latest logs, newest first; at most 10.
   */
  logs: LogEntry[];
  me: Me;
  /**
   * Messages of the inbox's chats and of those joined, in order.
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
  /**
   * What holds for the agent's queues while the settings stand.
   */
  rules: QueueRules[];
  /**
   * What supervisors lately did to this agent's work, newest first; at most 10, and none from before the daemon
   * started.
   */
  supervised: Supervised[];
  /**
   * The whole floor; only while this page watches it (A15).
   */
  watched: Watched | null;
}
/**
 * A queue and what it is called.
 */
export interface QueueName {
  /**
   * Name as shown.
   */
  name: string;
  queue: QueueId;
}
/**
 * What holds for a queue as long as the settings stand.
 */
export interface QueueRules {
  attachments: Attachments;
  /**
   * What `closing` says (B8).
   */
  closing: string;
  delivery: Delivery;
  /**
   * What `few_minutes` says (B16).
   */
  few_minutes: string;
  /**
   * What `nudge` says to the customer (B8); empty when there is no such notice.
   */
  nudge: string;
  queue: QueueId;
  share_for: Millis;
  targets: Targets;
}
/**
 * What service is aimed at (B17). Measured, never enforced.
 */
export interface Targets {
  connect: Millis;
  reply: Millis;
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
 * What files a customer may send (B18).
 */
export interface FileRules {
  /**
   * Largest file, in bytes.
   */
  bytes_max: number;
  /**
   * Media types that are taken; the daemon looks at the bytes.
   */
  types: string[];
}
/**
 * How an agent stands to a chat that waits.
 */
export interface AgentStanding {
  agent: AgentId;
  /**
   * Name as shown.
   */
  name: string;
  /**
   * What rules the agent out, in words; or that nothing does.
   */
  words: string;
}
/**
 * Answer to `POST /api/v1/{tenant}/chats/{id}/return`, which takes the chat's token and no body (B15).
 */
export interface ChatReturned {
  expires_at: Timestamp;
  interaction: InteractionId;
  returned: Returned;
  /**
   * Bound to that interaction.
   */
  token: string;
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
  /**
   * What this browser is recognised by next time (A11, C7): to be kept, and said when a chat is started. It says
   * nothing to anybody but the daemon.
   */
  visitor: string;
}
/**
 * An agent who serves the queue of a waiting chat.
 */
export interface Considered {
  agent: AgentId;
  /**
   * The first reason that holds against the agent. `None` where none does: the agent may take it from a `pull` queue;
   * from another it is the agent's at the next pass, unless a chat before it is.
   */
  ruled_out: RuledOut | null;
}
/**
 * An offer that was made before.
 */
export interface EarlierOffer {
  agent: AgentId;
  fate: Fate;
}
/**
 * Answer to `GET /api/v1/{tenant}/chats/{id}/explain`.
 */
export interface Explained {
  /**
   * The same in words, a sentence each.
   */
  because: string[];
  /**
   * Agents considered for it while it waits, and what rules each out, in words.
   */
  considered: AgentStanding[];
  /**
   * How much happened before those.
   */
  earlier: number;
  /**
   * Why it is where it is; nothing when it is closed, or a call that is on.
   */
  explanation: Explanation | null;
  interaction: InteractionId;
  /**
   * What happened to it, oldest first; the latest 5,000.
   */
  timeline: Moment[];
}
/**
 * Why a chat is where it is.
 */
export interface Explanation {
  at: Timestamp;
  /**
   * Offers made before, oldest first; the latest 16 (A4).
   */
  earlier: EarlierOffer[];
  entered_at: Timestamp;
  interaction: InteractionId;
  /**
   * Its queue; `None` only for a call that came through none.
   */
  queue: QueueId | null;
  standing: Standing;
  started_at: Timestamp;
}
/**
 * Why a chat waits.
 */
export interface Waiting {
  /**
   * It waits ahead of others: its agent was lost, or a supervisor took it back (A15, A17).
   */
  ahead: boolean;
  /**
   * Agents who serve its queue, those at work first; at most 200.
   */
  considered: Considered[];
  delivery: Delivery;
  /**
   * How long it will probably wait yet (A13).
   */
  expected_wait: Millis | null;
  /**
   * Chats in the same line, those under offer not among them.
   */
  in_line: number;
  /**
   * Agents who serve its queue and are not listed.
   */
  more: number;
  /**
   * What an agent must have to be given it now, with the least level (A11).
   */
  needs: {
    /**
     * This interface was referenced by `undefined`'s JSON-Schema definition
     * via the `patternProperty` "^[a-z0-9_.-]+$".
     */
    [k: string]: number;
  };
  /**
   * What comes next by itself, soonest first.
   */
  next: Next[];
  /**
   * Its queue is open (A12).
   */
  open: boolean;
  /**
   * Its place in line; 1 is next.
   */
  position: number;
  /**
   * Who gets it if free (A11, B15).
   */
  preferred: AgentId | null;
  /**
   * By how many levels that has been lowered.
   */
  relaxed: number;
  /**
   * Agents of its queue who are at work.
   */
  staff: number;
}
/**
 * What comes next for a waiting chat by itself.
 */
export interface Next {
  at: Timestamp;
  what: NextStep;
}
/**
 * Why an agent has a chat, or is offered it, as far as is still known.
 */
export interface Given {
  agent: AgentId;
  /**
   * The agent's units.
   */
  capacity: number;
  idle_since: Timestamp;
  /**
   * The agent's units in hand now, this chat's included.
   */
  load: number;
  /**
   * The open offer, if it is one.
   */
  offer: OpenOffer | null;
  /**
   * The agent was to get it if free: had this customer last (A11, B15).
   */
  preferred: boolean;
  /**
   * The agent's levels in what it needs, added up; who has more goes first. `None`: lacks something, and was given
   * it by hand.
   */
  skill: number | null;
  /**
   * How the queue chooses among the free (A11).
   */
  strategy: Strategy | null;
}
/**
 * An offer that stands.
 */
export interface OpenOffer {
  at: Timestamp;
  deadline: Timestamp;
  offer: OfferId;
}
/**
 * Something that happened.
 */
export interface Moment {
  at: Timestamp;
  /**
   * The event's name and version.
   */
  event: string;
  seq: Seq;
  /**
   * Who did it, by name as shown; `Customer`, or `Tieline` for what comes by itself.
   */
  who: string;
  /**
   * What, in words.
   */
  words: string;
}
/**
 * A question that is often asked.
 */
export interface FaqEntry {
  /**
   * The answer.
   */
  answer: string;
  /**
   * Which.
   */
  id: string;
  /**
   * The question.
   */
  question: string;
  /**
   * Further words it is found by.
   */
  tags: string[];
}
/**
 * Answer to `GET /api/v1/{tenant}/faq`.
 */
export interface FaqFound {
  /**
   * What fits, best first, at most 20; all, by id, where nothing was asked.
   */
  entries: FaqEntry[];
}
/**
 * Answer to `POST /api/v1/{tenant}/chats/{id}/files` (B18): the message that the file is.
 */
export interface FileTaken {
  /**
   * Its size.
   */
  bytes: number;
  /**
   * Its media type, as found by looking at the bytes.
   */
  media_type: string;
  message: CommandId;
  /**
   * Its name as kept, without path.
   */
  name: string;
}
/**
 * Body of `POST /api/v1/{tenant}/templates/{id}/render`.
 */
export interface RenderTemplate {
  /**
   * What the agent fills in, by the field's name; at most 1,000 characters each.
   */
  fields?: {
    [k: string]: string;
  };
  interaction: InteractionId;
}
/**
 * A template of which every placeholder is filled.
 */
export interface RenderedTemplate {
  /**
   * The text, for the reply.
   */
  text: string;
}
/**
 * A field of a script.
 */
export interface ScriptField {
  kind: FieldKind;
  /**
   * Its name, as the log shows it and a deed fills it.
   */
  name: string;
  /**
   * What to choose from where its kind is `choice`.
   */
  options: string[];
  /**
   * It must be filled where the script comes to its step.
   */
  required: boolean;
}
/**
 * A step of a script.
 */
export interface ScriptStep {
  /**
   * Ways on that depend on an answer; the first that fits.
   */
  branches: ScriptWay[];
  /**
   * What the agent fills in.
   */
  fields: ScriptField[];
  /**
   * What `next` and `go` call it.
   */
  id: string;
  /**
   * The step that follows where no branch fits; none ends the script.
   */
  next: string | null;
  /**
   * What the agent says.
   */
  text: string;
}
/**
 * A way on from a step.
 */
export interface ScriptWay {
  /**
   * Where this field of the script
   */
  field: string;
  /**
   * this step follows.
   */
  go: string;
  /**
   * has this answer,
   */
  is: string;
}
/**
 * Answer to `GET /api/v1/{tenant}/scripts/{id}`; the first step begins.
 */
export interface ScriptView {
  /**
   * The steps.
   */
  steps: ScriptStep[];
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
  /**
   * A token of an earlier chat this one goes on from (B15). It proves whose chat that was, so it may have expired.
   */
  previous?: string | null;
  queue: QueueId;
  /**
   * Skills wanted beyond the queue's own (A11); at most 5.
   */
  skills?: SkillId[];
  /**
   * What an earlier [`ChatStarted`] gave this browser to be recognised by.
   */
  visitor?: string | null;
}
/**
 * A reply that is ready but for its placeholders.
 */
export interface TemplateView {
  /**
   * What the agent has to fill in, in the order of the text.
   */
  fields: string[];
  /**
   * What the address of its rendering calls it.
   */
  id: string;
  /**
   * Queues it is for; none means all.
   */
  queues: QueueId[];
  /**
   * The text with its placeholders, to look at; what is sent is rendered first.
   */
  text: string;
  /**
   * Title as shown.
   */
  title: string;
}
/**
 * Answer to `GET /api/v1/{tenant}/templates`: the templates, by title.
 */
export interface Templates {
  /**
   * All there are for the queue that was asked about.
   */
  templates: TemplateView[];
}
