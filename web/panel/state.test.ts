import { describe, expect, it } from "vitest";
import { call, item, me, message, NOW, offer, queue, uuid, view } from "../fixtures/build";
import type { Change, Lookup, PanelFrame, PanelView } from "../shared/types.gen";
import {
  agreedName,
  alertLevel,
  hostConnection,
  inbox,
  initialState,
  opensHere,
  type PanelState,
  peopleNamed,
  reduce,
  underway,
  unsent,
} from "./state";

const snapshot = (seq: number, of: PanelView): PanelFrame => ({
  frame: "snapshot",
  seq,
  now: NOW,
  session: uuid(),
  view: of,
});
const delta = (seq: number, ...changes: Change[]): PanelFrame => ({ frame: "delta", seq, now: NOW, changes });
const feed = (state: PanelState, ...frames: PanelFrame[]): PanelState =>
  frames.reduce((next, frame) => reduce(next, { type: "frame", frame, at: NOW }), state);
const begin = (of: PanelView = view(), seq = 1): PanelState => feed(initialState(), snapshot(seq, of));
const send = (state: PanelState, id: string, interaction: string, text: string): PanelState =>
  reduce(state, { type: "do", id, deed: { deed: "send", interaction, text }, at: NOW });

describe("frames", () => {
  it("a snapshot is the whole truth and selects the active item", () => {
    const active = item();
    const state = begin(view({ items: [item({ place: "parked" }), active] }));
    expect(state.selected).toBe(active.interaction);
    expect(state.seq).toBe(1);
  });

  it("a delta in order changes what it names and nothing else", () => {
    const before = begin(view({ items: [item()] }));
    const after = feed(before, delta(2, { change: "me", me: me({ load: 2 }) }));
    expect(after.view?.me.load).toBe(2);
    expect(after.view?.items).toBe(before.view?.items);
  });

  it("a gap makes it stale: nothing more is believed until the snapshot comes", () => {
    const gap = feed(begin(), delta(3, { change: "me", me: me({ load: 9 }) }));
    expect(gap.stale).toBe(true);
    expect(gap.view?.me.load).toBe(0);
    const still = feed(gap, delta(4, { change: "me", me: me({ load: 9 }) }));
    expect(still.view?.me.load).toBe(0);
    const back = feed(
      still,
      snapshot(4, view({ me: me({ load: 1 }) })),
      delta(5, { change: "queue", queue: queue({ waiting: 7 }) }),
    );
    expect(back.stale).toBe(false);
    expect(back.view?.me.load).toBe(1);
    expect(back.view?.queues[0]?.waiting).toBe(7);
  });

  it("the same delta twice changes nothing", () => {
    const once = feed(begin(), delta(2, { change: "call", call: call() }));
    expect(feed(once, delta(2, { change: "call", call: call() }))).toBe(once);
  });

  it("the server's clock is kept as a difference", () => {
    const state = reduce(initialState(), { type: "frame", frame: snapshot(1, view()), at: NOW - 5_000 });
    expect(state.skew).toBe(5_000);
  });

  it("messages keep the server's order and come once", () => {
    const chat = item();
    const first = message(1, "customer", "one");
    const second = message(2, "customer", "two");
    const change = (of: typeof first): Change => ({ change: "message", interaction: chat.interaction, message: of });
    const state = feed(begin(view({ items: [chat] })), delta(2, change(second), change(first), change(second)));
    expect(state.messages.get(chat.interaction)?.map((one) => one.text)).toEqual(["one", "two"]);
  });
});

describe("what the agent does", () => {
  it("a message is grey until its delta, even when the answer comes first", () => {
    const chat = item();
    let state = send(begin(view({ items: [chat] })), "x", chat.interaction, "hello");
    expect(unsent(state, chat.interaction)).toEqual([{ id: "x", text: "hello", at: NOW }]);
    state = feed(state, { frame: "answer", id: "x", refusal: null });
    expect(unsent(state, chat.interaction)).toHaveLength(1);
    state = feed(
      state,
      delta(2, {
        change: "message",
        interaction: chat.interaction,
        message: message(1, "agent", "hello", { id: "x" }),
      }),
    );
    expect(unsent(state, chat.interaction)).toHaveLength(0);
    expect(state.outbox).toHaveLength(0);
  });

  it("what was not answered before a reconnect keeps its id; what the snapshot shows is done", () => {
    const chat = item();
    let state = send(begin(view({ items: [chat] })), "a", chat.interaction, "arrived");
    state = send(state, "b", chat.interaction, "lost");
    const messages = [{ interaction: chat.interaction, messages: [message(1, "agent", "arrived", { id: "a" })] }];
    state = feed(state, snapshot(9, view({ items: [chat], messages })));
    expect(state.outbox.map((queued) => queued.id)).toEqual(["b"]);
  });

  it("a refused message goes back into the composer, before what stands there", () => {
    const chat = item();
    let state = send(begin(view({ items: [chat] })), "x", chat.interaction, "too long");
    state = feed(state, {
      frame: "answer",
      id: "x",
      refusal: { code: "too_long", message: "At most 5,000 characters." },
    });
    expect(state.failed[0]?.reason).toBe("At most 5,000 characters.");
    state = reduce(state, { type: "draft", interaction: chat.interaction, text: "later" });
    state = reduce(state, { type: "take_back", id: "x" });
    expect(state.drafts.get(chat.interaction)).toBe("too long\nlater");
    expect(state.failed).toHaveLength(0);
  });

  it("sending empties this chat's draft only", () => {
    const [one, two] = [item(), item({ place: "parked" })];
    let state = begin(view({ items: [one, two] }));
    state = reduce(state, { type: "draft", interaction: one.interaction, text: "a" });
    state = reduce(state, { type: "draft", interaction: two.interaction, text: "b" });
    state = send(state, "x", one.interaction, "a");
    expect([...state.drafts]).toEqual([[two.interaction, "b"]]);
  });

  it("Offline with open chats asks before it is wished again", () => {
    let state = reduce(begin(), {
      type: "do",
      id: "p",
      deed: { deed: "set_presence", presence: { presence: "offline" } },
      at: NOW,
    });
    expect(underway(state, "set_presence")).toBe(true);
    state = feed(state, {
      frame: "answer",
      id: "p",
      refusal: { code: "needs_confirmation", message: "Chats are open." },
    });
    expect(state.confirmPresence).toEqual({ presence: "offline" });
    expect(state.notices).toHaveLength(0);
  });

  it("another refusal becomes one sentence", () => {
    let state = reduce(begin(), { type: "do", id: "o", deed: { deed: "accept_offer", offer: uuid() }, at: NOW });
    state = feed(state, { frame: "answer", id: "o", refusal: { code: "taken", message: "Taken by Tom." } });
    expect(state.notices).toEqual([{ id: "o", text: "Taken by Tom." }]);
  });
});

describe("what the agent sees", () => {
  it("a message counts as unread unless its chat is selected and the page is visible", () => {
    const [open, other] = [item(), item({ place: "parked" })];
    const say = (seq: number, interaction: string): PanelFrame =>
      delta(seq, { change: "message", interaction, message: message(seq, "customer", "hi") });
    let state = feed(begin(view({ items: [open, other] })), say(2, open.interaction), say(3, other.interaction));
    expect([...state.unread]).toEqual([[other.interaction, 1]]);
    state = reduce(state, { type: "visible", visible: false });
    state = feed(state, say(4, open.interaction));
    expect(state.unread.get(open.interaction)).toBe(1);
    state = reduce(state, { type: "visible", visible: true });
    expect(state.unread.has(open.interaction)).toBe(false);
  });

  it("what came while the line was down counts as unread", () => {
    const [open, other] = [item(), item({ place: "parked" })];
    const with_ = (...all: ReturnType<typeof message>[]): PanelView =>
      view({ items: [open, other], messages: [{ interaction: other.interaction, messages: all }] });
    const state = feed(
      begin(with_(message(1, "customer", "before"))),
      snapshot(5, with_(message(1, "customer", "before"), message(2, "customer", "meanwhile"))),
    );
    expect(state.unread.get(other.interaction)).toBe(1);
  });

  it("typing dies by itself, on a message, and at the end", () => {
    const chat = item();
    const typing: PanelFrame = { frame: "typing", interaction: chat.interaction, agent: null, for: 6_000 };
    const at = feed(begin(view({ items: [chat] })), typing);
    expect(at.typing.get(chat.interaction)).toBe(NOW + 6_000);
    expect(reduce(at, { type: "typing_over", interaction: chat.interaction, at: NOW + 5_999 }).typing.size).toBe(1);
    expect(reduce(at, { type: "typing_over", interaction: chat.interaction, at: NOW + 6_000 }).typing.size).toBe(0);
    expect(
      feed(at, delta(2, { change: "message", interaction: chat.interaction, message: message(1, "customer", "hi") }))
        .typing.size,
    ).toBe(0);
    expect(feed(at, delta(2, { change: "item", item: { ...chat, ended_at: NOW } })).typing.size).toBe(0);
  });

  it("an accepted offer's chat is selected as soon as it is active", () => {
    const [old, fresh] = [item({ place: "parked" }), item()];
    let state = reduce(begin(view({ items: [old] })), { type: "select", interaction: old.interaction });
    state = feed(state, delta(2, { change: "offer", offer: null }, { change: "item", item: fresh }));
    expect(state.selected).toBe(fresh.interaction);
  });

  it("a chat that leaves takes its messages, draft and selection with it", () => {
    const [gone, active] = [item({ place: "parked" }), item()];
    let state = reduce(begin(view({ items: [gone, active] })), { type: "select", interaction: gone.interaction });
    state = reduce(state, { type: "draft", interaction: gone.interaction, text: "x" });
    state = feed(state, delta(2, { change: "item_gone", interaction: gone.interaction }));
    expect(state.selected).toBe(active.interaction);
    expect(state.drafts.size).toBe(0);
  });

  it("a lost offer takes its missed pop with it, an accepted one keeps it", () => {
    const chat = offer();
    const pop = { interaction: chat.interaction, title: "Grace", url: null, reason: "no host" };
    const offered = reduce(begin(view({ offer: chat })), { type: "pop_missed", pop });
    expect(feed(offered, delta(2, { change: "offer", offer: null })).missedPops).toHaveLength(0);
    const accepted = feed(
      offered,
      delta(2, { change: "item", item: item({ interaction: chat.interaction }) }, { change: "offer", offer: null }),
    );
    expect(accepted.missedPops).toEqual([pop]);
  });

  it("the inbox stands in order: active, new, parked", () => {
    const [parked, fresh, active] = [item({ place: "parked" }), item({ place: "new" }), item()];
    expect(inbox(view({ items: [parked, fresh, active] }))).toEqual([active, fresh, parked]);
  });

  it("the alert rises at each limit, not before", () => {
    expect([44_999, 45_000, 59_999, 60_000].map((waited) => alertLevel(waited, [45_000, 60_000]))).toEqual([
      0, 1, 1, 2,
    ]);
  });
});

describe("several connections", () => {
  const connections = [
    { id: "sf", vendor: "salesforce", name: "Salesforce" },
    { id: "zd-eu", vendor: "zendesk", name: "Zendesk EU" },
    { id: "zd-us", vendor: "zendesk", name: "Zendesk US" },
  ];
  const known = (connection: string, title: string, over: Partial<Lookup["matches"][number]> = {}): Lookup => {
    const record = { object: "Contact", id: title };
    const match = { record, title, basis: "email", certainty: "exact", ...over } as Lookup["matches"][number];
    return { connection, state: { state: "done" }, matches: [match], more: false, contact: record, chosen: false };
  };

  it("the page around is the connection its address names, else the first of its CRM", () => {
    expect(hostConnection(connections, { vendor: "zendesk" })).toBe("zd-eu");
    expect(hostConnection(connections, { vendor: "zendesk", connection: "zd-us" })).toBe("zd-us");
    expect(hostConnection(connections, { vendor: "zendesk", connection: "sf" })).toBeNull();
    expect(hostConnection(connections, { vendor: "dynamics", connection: null })).toBeNull();
    expect(hostConnection(connections, null)).toBeNull();
    expect(opensHere(connections, { vendor: "salesforce" }, "sf")).toBe(true);
    expect(opensHere(connections, { vendor: "salesforce" }, "zd-eu")).toBe(false);
  });

  it("a name is agreed on however each CRM writes it", () => {
    const lookups = [known("sf", "Grace Okafor"), known("zd-eu", "Okafor, Gráce"), known("zd-us", "grace  okafor")];
    expect(agreedName(lookups)).toBe("Grace Okafor");
  });

  it("a different name is said and never settled, and a guess names nobody", () => {
    const differ = [known("sf", "Grace Okafor"), known("zd-eu", "Samuel Okafor")];
    expect(agreedName(differ)).toBeNull();
    expect(peopleNamed(differ).map(({ name }) => name)).toEqual(["Grace Okafor", "Samuel Okafor"]);
    const guess = known("zd-eu", "Samuel Okafor", { certainty: "guessed" });
    expect(agreedName([known("sf", "Grace Okafor"), guess])).toBe("Grace Okafor");
    const nobody: Lookup = { ...known("zd-eu", "Samuel Okafor"), contact: null, chosen: true };
    expect(agreedName([nobody])).toBeNull();
    expect(peopleNamed([nobody])).toEqual([]);
  });
});
