// Rules about the caller's token: what Envoy's jwt_authn verified and left in dynamic metadata.
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { type AttributeTree, type AttributeValue, createHost, type Host } from "proxy-wasm-host";
import { describe, expect, it } from "vitest";

const module = readFileSync(new URL("../build/authz.wasm", import.meta.url));
type Claims = Readonly<Record<string, AttributeValue>>;

const start = (action: "ALLOW" | "DENY", rule: object): Host =>
  createHost({ module, configuration: JSON.stringify({ policies: [{ name: "n/p", action, rules: [rule] }] }) });

function isAllowed(host: Host, metadata: Readonly<Record<string, AttributeTree>> = {}): boolean {
  const stream = host.newStream({
    headers: { ":method": "GET", ":path": "/", ":authority": "a.test" },
    attributes: { metadata: { filter_metadata: metadata } },
  });
  const outcome = stream.sendRequestHeaders();
  stream.end();
  return outcome.kind === "continue";
}

const tokenOf = (claims: Claims): Readonly<Record<string, AttributeTree>> => ({
  "envoy.filters.http.jwt_authn": { payload: claims },
});
/** Whether a rule lets in as an ALLOW, and whether it keeps out as a DENY. */
const outcomes = (rule: object, claims?: Claims): [boolean, boolean] => {
  const metadata = claims ? tokenOf(claims) : {};
  return [isAllowed(start("ALLOW", rule), metadata), !isAllowed(start("DENY", rule), metadata)];
};

const ALICE = { iss: "https://login.test", sub: "alice" };

describe("request principals", () => {
  it.each<[string, string[], Claims | undefined, boolean]>([
    ["exact", ["https://login.test/alice"], ALICE, true],
    ["of somebody else", ["https://login.test/bob"], ALICE, false],
    ["prefix", ["https://login.test/*"], ALICE, true],
    ["prefix that ends in the issuer", ["https://login*"], ALICE, true],
    ["suffix", ["*/alice"], ALICE, true],
    ["any", ["*"], ALICE, true],
    ["any, without a token", ["*"], undefined, false],
    ["any, token without subject", ["*"], { iss: "https://login.test" }, false],
    ["any, token without issuer", ["*"], { sub: "alice" }, false],
    ["any, empty subject", ["*"], { iss: "x", sub: "" }, false],
    ["subject that is a list", ["*"], { iss: "x", sub: ["alice"] }, false],
    [
      "issuer that ends where the subject could begin",
      ["https://login.test/a/lice"],
      { iss: "https://login.test/a", sub: "lice" },
      true,
    ],
  ])("%s", (_name, requestPrincipals, claims, matches) => {
    expect(outcomes({ from: [{ requestPrincipals }] }, claims)).toEqual([matches, matches]);
    expect(outcomes({ from: [{ notRequestPrincipals: requestPrincipals }] }, claims)).toEqual([!matches, !matches]);
    expect(outcomes({ when: [{ key: "request.auth.principal", values: requestPrincipals }] }, claims)).toEqual([
      matches,
      matches,
    ]);
  });

  it("come from no header", () => {
    const host = start("ALLOW", { from: [{ requestPrincipals: ["*"] }] });
    const stream = host.newStream({
      headers: {
        ":path": "/",
        authorization: "Bearer eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4Iiwic3ViIjoieSJ9.",
        "x-jwt-payload": "eyJpc3MiOiJ4Iiwic3ViIjoieSJ9",
      },
    });
    expect(stream.sendRequestHeaders().kind).toBe("replied");
  });
});

describe("claims", () => {
  it.each<[string, string, string[], Claims | undefined, boolean]>([
    ["text", "request.auth.claims[role]", ["admin"], { role: "admin" }, true],
    ["other text", "request.auth.claims[role]", ["admin"], { role: "user" }, false],
    ["prefix", "request.auth.claims[role]", ["ad*"], { role: "admin" }, true],
    ["suffix", "request.auth.claims[role]", ["*min"], { role: "admin" }, true],
    ["any", "request.auth.claims[role]", ["*"], { role: "x" }, true],
    ["any, empty", "request.auth.claims[role]", ["*"], { role: "" }, false],
    ["any, absent", "request.auth.claims[role]", ["*"], {}, false],
    ["any, no token", "request.auth.claims[role]", ["*"], undefined, false],
    ["one of a list", "request.auth.claims[groups]", ["admins"], { groups: ["users", "admins"] }, true],
    ["none of a list", "request.auth.claims[groups]", ["admins"], { groups: ["users"] }, false],
    ["any of an empty list", "request.auth.claims[groups]", ["*"], { groups: [] }, false],
    ["a list's element with a comma", "request.auth.claims[groups]", ["admins"], { groups: ["users,admins"] }, false],
    ["inside another", "request.auth.claims[realm][role]", ["admin"], { realm: { role: "admin" } }, true],
    ["list inside another", "request.auth.claims[realm][roles]", ["admin"], { realm: { roles: ["x", "admin"] } }, true],
    ["three deep", "request.auth.claims[a][b][c]", ["d"], { a: { b: { c: "d" } } }, true],
    [
      "of a name with dots and slashes",
      "request.auth.claims[https://x.test/groups]",
      ["a"],
      { "https://x.test/groups": ["a"] },
      true,
    ],
    ["a map's name", "request.auth.claims[realm]", ["role"], { realm: { role: "admin" } }, false],
    ["a map's name, nothing behind it", "request.auth.claims[realm]", ["role"], { realm: { role: "" } }, false],
    ["a whole list as text", "request.auth.claims[groups]", ["users,admins"], { groups: ["users", "admins"] }, false],
    ["audience", "request.auth.audiences", ["shop"], { aud: "shop" }, true],
    ["audiences", "request.auth.audiences", ["shop"], { aud: ["bank", "shop"] }, true],
    ["presenter", "request.auth.presenter", ["app"], { azp: "app" }, true],
    [
      "text that looks like a list of it",
      "request.auth.claims[role]",
      ["admin"],
      { role: Buffer.from([1, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, ...Buffer.from("admin\0\0")]) },
      false,
    ],
  ])("%s", (_name, key, values, claims, matches) => {
    expect(outcomes({ when: [{ key, values }] }, claims)).toEqual([matches, matches]);
    expect(outcomes({ when: [{ key, notValues: values }] }, claims)).toEqual([!matches, !matches]);
  });

  it.each<[string, string[], AttributeValue]>([
    ["a number", ["5"], 5],
    ["a fraction", ["0.5"], 0.5],
    ["true", ["true"], true],
    ["false", ["false"], false],
  ])("that is %s lets nobody in, as in Istio, and does not slip past a DENY", (_name, values, role) => {
    const when = [{ key: "request.auth.claims[role]", values }];
    expect(outcomes({ when }, { role })).toEqual([false, true]);
    expect(outcomes({ when: [{ key: "request.auth.claims[role]", values: ["*"] }] }, { role })[0]).toBe(false);
    expect(outcomes({ when: [{ key: "request.auth.claims[role]", notValues: values }] }, { role })).toEqual([
      false,
      true,
    ]);
  });

  it("never trap, whatever a token holds", () => {
    const rule = {
      from: [{ requestPrincipals: ["a/*"] }],
      when: [
        { key: "request.auth.claims[a]", notValues: ["x", "y*", "*z", "5"] },
        { key: "request.auth.claims[a][b]", notValues: ["x"] },
      ],
    };
    const hosts = [start("ALLOW", rule), start("DENY", rule)];
    const leaf = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.string(), fc.double(), fc.boolean(), fc.constant(null));
    const value = fc.oneof(
      leaf,
      fc.array(leaf, { maxLength: 5 }),
      fc.dictionary(fc.string({ maxLength: 3 }), leaf, { maxKeys: 4 }),
    );
    fc.assert(
      fc.property(value, value, value, (a, iss, sub) => {
        for (const host of hosts) isAllowed(host, tokenOf({ a, iss, sub }));
      }),
      { numRuns: 400 },
    );
    for (const host of hosts) {
      isAllowed(
        host,
        tokenOf({ a: "x".repeat(61_440), iss: "i".repeat(61_440), sub: Array.from({ length: 5_000 }, () => "x") }),
      );
      expect(host.failure()).toBeUndefined();
    }
  });
});

describe("metadata of other filters", () => {
  const key = "experimental.envoy.filters.http.x[db.table]";
  const of = (value: AttributeValue): Readonly<Record<string, AttributeTree>> => ({
    "envoy.filters.http.x": { "db.table": value },
  });
  it.each<[string, string, AttributeValue | undefined, boolean]>([
    ["text", "update", "update", true],
    ["prefix", "up*", "update", true],
    ["text that is wanted in a list", "[update]", "update", false],
    ["list that is wanted as a text", "update", ["update"], false],
    ["list", "[update]", ["select", "update"], true],
    ["list, by prefix", "[up*]", ["select", "update"], true],
    ["nothing", "update", undefined, false],
  ])("%s", (_name, value, stored, matches) => {
    const rule = { when: [{ key, values: [value] }] };
    const metadata = stored === undefined ? {} : of(stored);
    expect([isAllowed(start("ALLOW", rule), metadata), !isAllowed(start("DENY", rule), metadata)]).toEqual([
      matches,
      matches,
    ]);
  });
});
