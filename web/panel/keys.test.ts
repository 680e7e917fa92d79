import { describe, expect, it } from "vitest";
import { deedOf } from "./keys";

const press = (
  key: string,
  over: Partial<{ code: string; altKey: boolean; ctrlKey: boolean; metaKey: boolean }> = {},
) => ({
  key,
  code: over.code ?? "",
  altKey: over.altKey ?? false,
  ctrlKey: over.ctrlKey ?? false,
  metaKey: over.metaKey ?? false,
});

describe("keys", () => {
  it("act outside fields", () => {
    expect(deedOf(press("a"), false)).toBe("accept");
    expect(deedOf(press("3"), false)).toBe(2);
    expect(deedOf(press("?"), false)).toBe("keys");
  });

  it("never act while somebody types, except with Alt, whatever letter Alt makes of it", () => {
    expect(deedOf(press("a"), true)).toBeNull();
    expect(deedOf(press("å", { code: "KeyA", altKey: true }), true)).toBe("accept");
    expect(deedOf(press("Escape"), true)).toBe("back");
  });

  it("leave Ctrl and Cmd to the browser, and AltGr to the keyboard", () => {
    expect(deedOf(press("c", { ctrlKey: true }), false)).toBeNull();
    expect(deedOf(press("l", { metaKey: true }), false)).toBeNull();
    expect(deedOf(press("e", { code: "KeyE", altKey: true, ctrlKey: true }), true)).toBeNull();
  });
});
