import { describe, expect, it } from "vitest";
import { message, NOW, uuid } from "../fixtures/build";
import type { WidgetFrame } from "../shared/types.gen";
import { parseFields, personOf } from "./form";
import { initialState, reduce, unsent, type WidgetState } from "./state";

const snapshot = (seq: number, over: Partial<Extract<WidgetFrame, { frame: "snapshot" }>> = {}): WidgetFrame => ({
  frame: "snapshot",
  seq,
  now: NOW,
  interaction: uuid(),
  state: { state: "talking", agent: "Anna" },
  messages: [],
  chars_max: 500,
  ...over,
});
const feed = (state: WidgetState, ...frames: WidgetFrame[]): WidgetState =>
  frames.reduce((next, frame) => reduce(next, { type: "frame", frame, at: NOW }), state);
const send = (state: WidgetState, id: string, text: string): WidgetState =>
  reduce(state, { type: "queue", queued: { id, what: { kind: "send", text } } });

describe("a visitor's chat", () => {
  it("goes from the queue to an agent to the end", () => {
    let state = feed(initialState(), snapshot(1, { state: { state: "waiting", position: 2 } }));
    expect(state.chat).toEqual({ state: "waiting", position: 2 });
    state = feed(state, { frame: "state", seq: 2, state: { state: "talking", agent: "Anna" } });
    state = feed(state, { frame: "state", seq: 3, state: { state: "ended", by: "agent" } });
    expect(state.agent).toBe("Anna");
    expect(state.chat?.state).toBe("ended");
  });

  it("asks for a snapshot at a gap and believes nothing until it comes", () => {
    const gap = feed(initialState(), snapshot(1), { frame: "message", seq: 3, message: message(2, "agent", "second") });
    expect(gap.stale).toBe(true);
    expect(gap.messages).toHaveLength(0);
    const back = feed(gap, snapshot(3, { messages: [message(1, "agent", "first"), message(2, "agent", "second")] }));
    expect(back.stale).toBe(false);
    expect(back.messages.map((one) => one.text)).toEqual(["first", "second"]);
  });

  it("keeps unsent messages with their ids across a reconnect", () => {
    let state = send(send(feed(initialState(), snapshot(1)), "a", "arrived"), "b", "lost");
    state = feed(state, snapshot(4, { messages: [message(1, "customer", "arrived", { id: "a" })] }));
    expect(unsent(state)).toEqual([{ id: "b", text: "lost" }]);
  });

  it("gives a refused message back with the reason", () => {
    let state = send(feed(initialState(), snapshot(1)), "x", "long");
    state = feed(state, {
      frame: "answer",
      id: "x",
      refusal: { code: "too_long", message: "At most 500.", limit: 500 },
    });
    expect(state.failed[0]?.reason).toBe("At most 500.");
    expect(reduce(state, { type: "take_back", id: "x" }).draft).toBe("long");
  });

  it("counts what comes while it is hidden", () => {
    let state = reduce(feed(initialState(), snapshot(1)), { type: "shown", shown: false });
    state = feed(state, { frame: "message", seq: 2, message: message(1, "agent", "hello") });
    expect(state.unread).toBe(1);
    expect(reduce(state, { type: "shown", shown: true }).unread).toBe(0);
  });
});

describe("the form", () => {
  it("takes at most four known fields, each once", () => {
    expect(parseFields("name*,shoe,email,name,phone,case_number,message")).toEqual([
      { name: "name", required: true },
      { name: "email", required: false },
      { name: "phone", required: false },
      { name: "case_number", required: false },
    ]);
  });

  it("leaves out what was not said, and splits a name for the CRM", () => {
    expect(personOf({ name: " Ana María Reyes ", email: "", message: "hi" }, null)).toEqual({
      name: "Ana María Reyes",
      first_name: "Ana María",
      last_name: "Reyes",
    });
  });
});
