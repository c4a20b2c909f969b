import { describe, expect, it } from "vitest";
import { claimHeader, parseSticky } from "./sticky.ts";

describe("sticky", () => {
  it.each([
    ["header:X-User", { by: { header: "x-user" } }],
    ["cookie: session ; salt=a;".slice(0, -1), { by: { cookie: "session" }, salt: "a" }],
    ["query:user", { by: { query: "user" } }],
    ["claim:sub", { by: { claim: "[sub]" } }],
    ["claim:realm.role", { by: { claim: "[realm][role]" } }],
    ["claim:[a.b][c]", { by: { claim: "[a.b][c]" } }],
    ["source:ip", { by: { source: "ip" } }],
  ])("%s", (text, expected) => {
    expect(parseSticky(text)).toEqual({ kind: "sticky", ...expected });
  });

  it.each([
    "",
    "x-user",
    "header:",
    "header:a b",
    "source:name",
    "claim:",
    "claim:[",
    "body:x",
    "header:a; pepper=1",
    "header:a; salt=",
    "header:a; salt=b; salt=c",
  ])("refuses %j", (text) => {
    expect(parseSticky(text).kind).toBe("failed");
  });
});

describe("claims among headers", () => {
  it.each([
    ["@request.auth.claims.sub", { claim: "[sub]" }],
    ["@request.auth.claims.realm.role", { claim: "[realm][role]" }],
    ["@request.auth.claims[a][b]", { claim: "[a][b]" }],
    ["@request.auth.claims", "wrong"],
    ["@request.auth.claims.", "wrong"],
    ["@request.auth.principal", "wrong"],
    ["x-user", undefined],
  ])("%s", (name, expected) => {
    expect(claimHeader(name)).toEqual(expected);
  });
});
