import { describe, expect, it } from "vitest";
import { backoff, socketUrl, tenantOf } from "./link";

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

describe("a socket's address", () => {
  it("is on the page's own machine, as safe as the page, and names the contact centre", () => {
    const secure = { protocol: "https:", host: "chat.example.com" };
    expect(socketUrl("/ws/agent", "acme", secure)).toBe("wss://chat.example.com/ws/agent?tenant=acme");
    const plain = { protocol: "http:", host: "127.0.0.1:8080" };
    expect(socketUrl("/ws/customer", "a&b", plain)).toBe("ws://127.0.0.1:8080/ws/customer?tenant=a%26b");
  });
});
