import { describe, expect, it } from "vitest";
import { chooseHost, claimed, isTrusted, namedConnection } from "./choose";
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

describe("which CRM", () => {
  const at = (search: string, hash = "", ancestors: string[] = []) => claimed({ search, hash, ancestors });

  it("is told by what each of them writes into the address", () => {
    expect(at("?sfdcIframeOrigin=https://acme.lightning.force.com&connection=sf")?.vendor).toBe("salesforce");
    expect(at("?origin=https://acme.zendesk.com&app_guid=a-1&connection=zd")?.vendor).toBe("zendesk");
    expect(at("", "#origin=https://acme.zendesk.com&app_guid=a-1")?.vendor).toBe("zendesk");
    expect(at("?base=https://acme.crm4.dynamics.com&connection=dyn")?.vendor).toBe("dynamics");
    expect(at("", "", ["https://acme.crm4.dynamics.com"])?.vendor).toBe("dynamics");
    expect(at("?connection=sf", "", ["https://intranet.example"])).toBeNull();
  });

  it("is not talked to before the daemon's list says so, and the panel then works alone", async () => {
    const page = (hosts: string): Document => ({ querySelector: () => ({ content: hosts }) }) as unknown as Document;
    for (const search of [
      "?base=https://evil.example",
      "?origin=https://evil.example&app_guid=a",
      "?origin=http://localhost:9&app_guid=a",
      "?sfdcIframeOrigin=https://evil.example",
    ]) {
      const found = await chooseHost(page("https://*.zendesk.com https://*.dynamics.com"), {
        search,
        hash: "",
        ancestors: [],
      });
      expect(found.host.kind).toBe("standalone");
      expect(found.page).toBeNull();
      expect(found.problem).toMatch(/is not on Tieline's list/);
    }
  });

  it("may say which connection it is", () => {
    expect(namedConnection("?base=https://a.example&connection=dyn-eu")).toBe("dyn-eu");
    expect(namedConnection("?connection=")).toBeNull();
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
