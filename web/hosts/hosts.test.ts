import { describe, expect, it } from "vitest";
import { isTrusted } from "./choose";
import { salesforceOrigin, screenPop } from "./salesforce";

const types = { SCREENPOP_TYPE: { SOBJECT: "sobject", SEARCH: "search", NEW_RECORD_MODAL: "new" } };

describe("which host", () => {
  it("reads the page around it from its own query, in both spellings", () => {
    expect(salesforceOrigin("?sfdcIframeOrigin=https%3A%2F%2Facme.lightning.force.com&mode=Lightning")).toBe(
      "https://acme.lightning.force.com",
    );
    expect(salesforceOrigin("?sfdcIFrameOrigin=https://acme.lightning.force.com/x")).toBe(
      "https://acme.lightning.force.com",
    );
    expect(salesforceOrigin("")).toBeNull();
    expect(salesforceOrigin("?sfdcIframeOrigin=javascript:alert(1)")).toBeNull();
  });

  it("trusts only what the daemon lists, never a look-alike", () => {
    const trusted = ["https://acme.lightning.force.com", "https://*.sandbox.lightning.force.com"];
    expect(isTrusted("https://acme.lightning.force.com", trusted)).toBe(true);
    expect(isTrusted("https://acme--dev.sandbox.lightning.force.com", trusted)).toBe(true);
    expect(isTrusted("https://sandbox.lightning.force.com", trusted)).toBe(false);
    expect(isTrusted("https://evilsandbox.lightning.force.com", trusted)).toBe(false);
    expect(isTrusted("https://acme.lightning.force.com.evil.example", trusted)).toBe(false);
    expect(isTrusted("http://acme.lightning.force.com", trusted)).toBe(false);
    expect(isTrusted("https://acme.lightning.force.com", [])).toBe(false);
  });
});

describe("pops in Salesforce", () => {
  it("opens a record by its id", () => {
    expect(screenPop(types, { kind: "record", record: { object: "Contact", id: "003x" } })).toEqual({
      type: "sobject",
      params: { recordId: "003x" },
    });
  });

  it("opens a new record with its fields", () => {
    expect(screenPop(types, { kind: "new_record", object: "Contact", fields: [["LastName", "Okafor"]] })).toEqual({
      type: "new",
      params: { entityName: "Contact", defaultFieldValues: { LastName: "Okafor" } },
    });
  });

  it("says why a search is too short for Salesforce", () => {
    expect(() => screenPop(types, { kind: "search", text: "42" })).toThrow("3 characters");
  });
});
