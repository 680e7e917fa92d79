import { describe, expect, it } from "vitest";
import { backoff, tenantOf } from "./link";

describe("backoff", () => {
  it("grows, has jitter, never comes at once and never waits for ever", () => {
    for (let attempt = 0; attempt < 40; attempt += 1) {
      expect(backoff(attempt, () => 0)).toBe(200);
      expect(backoff(attempt, () => 1)).toBeLessThanOrEqual(15_000);
    }
    expect(backoff(0, () => 1)).toBe(500);
    expect(backoff(10, () => 1)).toBe(15_000);
  });
});

describe("tenant", () => {
  it("is read from the path", () => {
    expect(tenantOf("/panel/demo/")).toBe("demo");
    expect(tenantOf("/widget/acme/index.html")).toBe("acme");
    expect(tenantOf("/panel/")).toBe("");
  });
});
