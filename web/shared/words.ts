// Every text people read, in one place. A translation is a second file of this shape. Words follow the glossary:
// short, plain, present tense, sentence case.
import type { Basis, Certainty, Presence, Status } from "./types.gen";

const plural = (n: number, one: string, many: string): string => `${n} ${n === 1 ? one : many}`;

const presence = (p: Presence): string => {
  switch (p.presence) {
    case "offline":
      return "Offline";
    case "available":
      return "Available";
    case "on_break":
      return p.reason === "" ? "On Break" : `On Break · ${p.reason}`;
    case "stop_new":
      return "Stop New";
  }
};

export const panel = {
  product: "Tieline",
  noName: "No name given",
  unknownCaller: "Number withheld",
  close: "Close",
  dismiss: "Dismiss",

  signIn: {
    title: "Sign in",
    lead: "Chats and calls, next to your CRM.",
    agent: "Agent",
    password: "Password",
    show: "Show",
    hide: "Hide",
    go: "Sign in",
    going: "Signing in…",
    unreachable: "Tieline cannot be reached from this page. Check the network, then sign in again.",
    noTenant: "This address names no contact centre. It should end in /panel/your-centre/.",
    again: (reason: string) => `${reason} Sign in again to go on.`,
  },

  link: {
    starting: "Connecting…",
    lost: "Connection lost.",
    nextTry: (left: string) => `Next try in ${left}.`,
    trying: "Trying now…",
    queued: (n: number) => `${plural(n, "message", "messages")} kept, sent when it is back.`,
    tryNow: "Try now",
    lampLive: "Connected",
    lampDown: "Not connected",
  },

  presence,
  presences: { available: "Available", on_break: "On Break", stop_new: "Stop New", offline: "Offline" },
  presenceHelp: {
    available: "Gets new chats",
    on_break: "At work, gets nothing",
    stop_new: "Finishes what is open, gets nothing new",
    offline: "Not at work",
  },
  status: (s: Status): string => {
    switch (s.status) {
      case "on_call":
        return "On a call";
      case "handling_chat":
        return "Handling a chat";
      case "wrap_up":
        return "Wrap-up";
      case "offered":
        return "Offered";
      case "present":
        return presence(s.presence);
    }
  },
  me: {
    othersSee: (status: string) => `Others see: ${status}`,
    wish: (wish: string) => `${wish} after this`,
    load: (load: number, capacity: number) => `${load} of ${capacity} chats`,
    change: "Change presence",
    menu: "More",
    goingOffline: "You still have open chats. Offline gives them back to the queue and completes wrap-ups.",
    goOffline: "Go Offline",
    stay: "Stay",
    mode: "Appearance",
    modes: { system: "As the system", light: "Light", dark: "Dark" },
    sound: "Sounds",
    on: "On",
    off: "Off",
    keys: "Keyboard",
    signOut: "Sign out",
  },

  offer: {
    label: "Offer",
    title: (queue: string) => `New chat · ${queue}`,
    waiting: (time: string) => `waiting ${time}`,
    left: (time: string) => `${time} left to accept`,
    accept: "Accept",
    reject: "Reject",
    rejectAgain: "Press R again to reject",
    mayNotReject: "Your role does not include rejecting offers. It goes on by itself when the time is over.",
    again: (n: number) => `offered ${n} times`,
    details: "Details",
    page: "Page",
  },

  call: {
    ringing: "Call ringing",
    talking: "On a call",
    from: "From",
    to: "to",
    contact: "Contact of this call",
    answerOnPhone: "Answer on your phone",
  },

  inbox: {
    title: "Inbox",
    list: "Chats and wrap-ups",
    states: {
      active: "Active",
      new: "New",
      parked: "Parked",
      wrapUp: "Wrap-up",
      parkedWrapUp: "Parked wrap-up",
      ended: "Ended",
    },
    waits: (time: string) => `Customer waits ${time}`,
    left: (time: string) => `${time} left`,
    unread: (n: number) => `${n} unread`,
    draft: "Draft",
    noMessages: "No message yet",
    you: "You",
    emptyAvailable: (queues: string) => `You are Available. The next chat in ${queues} will ring here.`,
    emptyNoQueues: "You are Available, but serve no queue yet. Ask a supervisor to add you to one.",
    emptyBreak: "You are On Break. Nothing is offered until you are Available again.",
    emptyStopNew: "You take nothing new. Choose Available when you want the next chat.",
    emptyOffline: "You are Offline. Choose Available to get chats.",
    goAvailable: "Become Available",
  },

  queues: {
    title: "Queues",
    waiting: (n: number) => (n === 0 ? "nobody waits" : `${n} waiting`),
    oldest: (time: string) => `The longest wait is ${time}`,
    take: "Take next",
  },

  logs: {
    title: "Recent logs",
    empty: "When you complete a wrap-up, its log and what the CRM says about it stand here.",
    notClassified: "Not classified",
    sending: (crm: string) => `Saved, being sent to ${crm}`,
    nextTry: (time: string) => `Next try in ${time}`,
    tryingNow: "Trying now",
    refused: (crm: string, reason: string) => `${crm} did not take it: ${reason}`,
    none: "Saved. No CRM is connected.",
  },

  chat: {
    none: "Select a chat to read it.",
    noneOpen: "No chat is open.",
    noneOffered: "Accept the offer to open its chat here.",
    back: "Inbox",
    park: "Park",
    activate: "Activate",
    activateToWrite: "Activate this chat to write. Your draft is kept.",
    end: "End chat",
    endSure: "End this chat?",
    endYes: "End chat",
    endNo: "Keep talking",
    contact: "Contact",
    classify: "Classify",
    customer: "Customer",
    endedBy: (who: string, at: string) => `${who} ended the chat · ${at}`,
    endedByYou: (at: string) => `You ended the chat · ${at}`,
    startedAt: (at: string) => `Chat started · ${at}`,
    typing: (who: string) => `${who} is typing…`,
    newMessages: (n: number) => plural(n, "new message", "new messages"),
    noMessages: "Nothing said yet. A greeting goes a long way.",
    sending: "Being sent",
    queued: "Kept, sent when the connection is back",
    sent: "Sent",
    notSent: (reason: string) => `Not sent: ${reason}`,
    edit: "Edit",
    openLink: "Open link",
    linkLeaves: (host: string) => `Opens ${host} in a new tab`,
    seenEnd: "Seen",
    conversation: "Conversation",
  },

  composer: {
    label: "Reply",
    placeholder: "Write a reply",
    send: "Send",
    hint: "Enter sends, Shift+Enter breaks the line",
    left: (n: number) => (n >= 0 ? `${n} left` : `${-n} too many`),
    tooLong: (max: number) =>
      `A message holds at most ${max.toLocaleString()} characters. Shorten it or send it in two.`,
  },

  wrapUp: {
    title: "Wrap-up",
    left: (time: string) => `${time} left`,
    stopped: (time: string) => `Parked, ${time} left`,
    noLimit: "No time limit",
    extend: (seconds: number) => `+${seconds} s`,
    extensionsLeft: (n: number) => (n === 0 ? "none left" : `${n} left`),
    noneLeft: "No extensions are left.",
    complete: "Complete wrap-up",
    classification: "Classification",
    wanted: "wanted",
    search: "Search codes",
    noCode: (text: string) => `No code contains “${text}”.`,
    chosen: (n: number) => plural(n, "code chosen", "codes chosen"),
    text: "Additional text",
    freeText: "What was it about?",
    notes: "Notes",
    notesHint: "Goes into the log and the case.",
    save: "Save",
    saved: "Saved",
    unsaved: "Saved when you leave the field",
    ofChat: "Classification and notes",
  },

  contact: {
    title: "Contact",
    customer: "Customer",
    visitor: "Said by the customer",
    firstName: "First name",
    lastName: "Last name",
    email: "E-mail",
    phone: "Phone",
    caseNumber: "Case number",
    page: "Page",
    looking: (crm: string) => `Looking in ${crm}…`,
    failed: (crm: string, reason: string) => `${crm} could not be asked: ${reason}`,
    nobody: (crm: string) => `Nobody found in ${crm}.`,
    here: "this page",
    disagree: "The CRMs name different people.",
    possible: (n: number, more: boolean) => `${more ? "more than " : ""}${n} possible, none chosen`,
    more: "There are more. Ask the customer for an e-mail address or a case number.",
    choose: "Use for log",
    chosen: "Log goes under this contact",
    chosenCase: "Log goes under this case's contact",
    none: "None of these",
    noneChosen: "You chose none of these. The log goes without a contact.",
    open: "Open",
    openIn: (crm: string) => `Open in ${crm}`,
    noCrm: "No CRM is connected.",
    certainty: (certainty: Certainty, basis: Basis): string => {
      const what = { phone: "number", email: "e-mail address", case_number: "case number" }[basis];
      if (certainty === "exact") return `exact · same ${what}`;
      if (certainty === "normalised") return `same ${what}, written differently`;
      return basis === "phone" ? "guess · last digits agree" : `guess · similar ${what}`;
    },
    short: { exact: "exact", normalised: "normalised", guessed: "guess" } as Record<Certainty, string>,
  },

  pop: {
    missed: (title: string) => `${title} was not opened.`,
    open: (title: string) => `Open ${title}`,
  },

  host: {
    noHost: "This panel stands alone, without a CRM page around it.",
    untrusted: (origin: string) =>
      `${origin} is not on Tieline's list of CRM pages, so records open as links. An administrator can add it.`,
    scriptMissing: (src: string) => `The CRM's script at ${src} did not load, so records open as links.`,
    scriptSlow: (src: string) =>
      `The CRM's script at ${src} took too long, so records open as links. Reload to try again.`,
    scriptEmpty: (origin: string) =>
      `The CRM's script from ${origin} came without its functions, so records open as links.`,
    cifSilent: (origin: string) =>
      `Dynamics at ${origin} did not greet the panel, so records open as links. Ask an administrator whether this page is its active channel provider; then reload.`,
    zafSilent: (origin: string) =>
      `Zendesk at ${origin} did not greet the panel, so records open as links. Reload to try again.`,
    badConnection: "This panel's address names a connection in a way none can be called, so it is left out.",
    searchTooShort: (min: number) => `Salesforce searches from ${min} characters.`,
    noRoute: (object: string) => `Zendesk has no page to open for this ${object}.`,
    popSlow: (crm: string) => `${crm} did not answer in time.`,
    popRefused: (crm: string, reason: string | null) => `${crm} did not open it${reason === null ? "." : `: ${reason}`}`,
    elsewhere: (crm: string) => `It is in ${crm}, which is not the page around this panel.`,
    ringing: "Tieline: a customer is ringing.",
    itemRinging: "● Ringing",
    itemUnread: (n: number) => `Tieline (${n})`,
  },

  title: {
    ringing: (who: string) => `● ${who}`,
    unread: (n: number) => `(${n}) Tieline`,
  },

  keys: {
    title: "Keyboard",
    hint: "Inside a text field, hold Alt.",
    rows: [
      ["1 … 9", "Select a row of the inbox"],
      ["Enter", "On a row: activate it"],
      ["A", "Accept the offer"],
      ["R", "Reject the offer (twice)"],
      ["P", "Park or activate"],
      ["E", "End the chat"],
      ["C", "Classify"],
      ["K", "Contact"],
      ["L", "Logs"],
      ["?", "This list"],
      ["Esc", "Back"],
    ] as const,
  },
};

export const widget = {
  title: "Chat with us",
  greeting: "Hello! Tell us who you are and how we can help. A person answers.",
  open: "Open chat",
  openUnread: (n: number) => `Open chat, ${plural(n, "new message", "new messages")}`,
  minimise: "Minimise chat",
  dialog: "Chat",
  fields: {
    name: "Name",
    email: "E-mail",
    phone: "Phone",
    case_number: "Case number, if you have one",
    message: "How can we help?",
  },
  optional: "optional",
  start: "Start chat",
  starting: "Starting…",
  required: "This is needed to start the chat.",
  badEmail: "This does not look like an e-mail address. Example: grace@example.com",
  unreachable: "We cannot be reached right now. What you typed is kept; try again in a moment.",
  position: (n: number | null) =>
    n === null
      ? "Someone will be with you shortly. Please stay, your place is kept."
      : n <= 1
      ? "You are next. Someone will be with you shortly."
      : `You are number ${n} in the queue. Please stay, your place is kept.`,
  talking: (agent: string) => `You are talking to ${agent}`,
  joined: (agent: string) => `${agent} joined the chat`,
  typing: (agent: string) => `${agent} is typing…`,
  someone: "Someone",
  agent: "Our team",
  you: "You",
  reconnecting: "Reconnecting… What you write is kept.",
  closed: (reason: string) => reason,
  endedByYou: "You ended the chat.",
  endedByAgent: (agent: string) => `${agent} ended the chat.`,
  endedThanks: "Thank you for talking with us.",
  again: "Start a new chat",
  end: "End chat",
  endSure: "End this chat?",
  endYes: "End chat",
  endNo: "Go on",
  send: "Send",
  message: "Message",
  placeholder: "Write a message",
  sending: "Being sent",
  notSent: (reason: string) => `Not sent: ${reason}`,
  edit: "Edit",
  left: (n: number) => (n >= 0 ? `${n} left` : `${-n} too many`),
  tooLong: (max: number) => `A message holds at most ${max} characters. Shorten it or send it in two.`,
  conversation: "Conversation",
  newMessage: (text: string) => `New message: ${text}`,
};
