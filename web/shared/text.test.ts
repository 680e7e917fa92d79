import { describe, expect, it } from "vitest";
import { characters, initials, pieces, sentence } from "./text";
import { left, span } from "./time";

describe("characters", () => {
  it("counts as a person counts", () => {
    expect(characters("")).toBe(0);
    expect(characters("abc")).toBe(3);
    expect(characters("👩‍👩‍👧‍👦")).toBe(1);
    expect(characters("e\u0301")).toBe(1);
    expect(characters("🇦🇹🇨🇭")).toBe(2);
    expect(characters(`${"a".repeat(499)}👍🏽`)).toBe(500);
  });
});

describe("pieces", () => {
  it("finds http, https and mailto, without the sentence around them", () => {
    expect(pieces("See https://a.example/x?y=1. Or mailto:b@c.example!")).toEqual([
      { text: "See ", href: null },
      { text: "https://a.example/x?y=1", href: "https://a.example/x?y=1" },
      { text: ". Or ", href: null },
      { text: "mailto:b@c.example", href: "mailto:b@c.example" },
      { text: "!", href: null },
    ]);
  });

  it("makes nothing else into a link", () => {
    for (const text of ["javascript:alert(1)", "data:text/html,x", "<img src=x>", "file:///etc/passwd", "https://"]) {
      expect(pieces(text).every((piece) => piece.href === null)).toBe(true);
    }
  });
});

describe("sentence", () => {
  it("makes a reason stand alone, and leaves one that already does", () => {
    expect(sentence("the chat has ended; start a new one")).toBe("The chat has ended; start a new one.");
    expect(sentence("Too fast. Try later.")).toBe("Too fast. Try later.");
    expect(sentence("")).toBe("");
  });
});

describe("names and times", () => {
  it("makes initials of what there is", () => {
    expect(initials("Grace Amara Okafor")).toBe("GO");
    expect(initials("👋")).toBe("·");
    expect(initials("")).toBe("·");
  });

  it("writes m:ss under an hour; a countdown reaches 0:00 only at the end", () => {
    expect(span(59_999)).toBe("0:59");
    expect(span(3_600_000)).toBe("1:00:00");
    expect(left(59_001)).toBe("1:00");
    expect(left(1)).toBe("0:01");
    expect(left(0)).toBe("0:00");
  });
});
