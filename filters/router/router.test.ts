import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { createHost, type Host, startHost } from "proxy-wasm-host";
import { describe, expect, it } from "vitest";

const file = (name: string): Buffer => readFileSync(new URL(name, import.meta.url));
const module = file("../build/router.wasm");
const schema = new Ajv2020({ strict: false }).compile(JSON.parse(file("rules.schema.json").toString()));

type Headers = Record<string, string | string[]>;
const metadata = (rules: unknown, id = JSON.stringify(rules)) => ({ xds: { virtual_host_metadata: { filter_metadata: { "scrim.router": { id, rules: typeof rules === "string" ? rules : JSON.stringify(rules) } } } } });
const host = createHost({ module, configuration: "{}" });

/** The key chosen, undefined when nothing was chosen. */
function choose(rules: unknown, headers: Headers = {}, on: Host = host, id?: string): string | undefined {
  const stream = on.newStream({ headers: { ":method": "GET", ":path": "/", ":authority": "reviews", ":scheme": "http", ...headers }, attributes: rules === undefined ? {} : (metadata(rules, id) as never) });
  expect(stream.sendRequestHeaders().kind).toBe("continue");
  const key = stream.filterState("scrim.route");
  expect(stream.routeCacheCleared).toBe(key === undefined ? 0 : 1);
  stream.end();
  return key;
}

const only = (match: object): unknown => ({ routes: [{ key: "yes", match }] });

describe("one condition", () => {
  it.each<[string, object, Headers, boolean]>([
    ["no condition", {}, {}, true],
    ["uri exact", { uri: { exact: "/a" } }, { ":path": "/a?b" }, true],
    ["uri exact, longer", { uri: { exact: "/a" } }, { ":path": "/ab" }, false],
    ["uri prefix is a plain string prefix", { uri: { prefix: "/a" } }, { ":path": "/abc" }, true],
    ["uri prefix does not see the query", { uri: { prefix: "/a?b" } }, { ":path": "/a?b" }, false],
    ["uri regex, whole path", { uri: { regex: "/a/\\d+" } }, { ":path": "/a/12?x" }, true],
    ["uri regex, part of the path", { uri: { regex: "/a" } }, { ":path": "/ab" }, false],
    ["uri case counts", { uri: { exact: "/A" } }, { ":path": "/a" }, false],
    ["ignoreUriCase, exact", { uri: { exact: "/A" }, ignoreUriCase: true }, { ":path": "/a" }, true],
    ["ignoreUriCase, prefix", { uri: { prefix: "/A" }, ignoreUriCase: true }, { ":path": "/aB" }, true],
    ["method", { method: { exact: "GET" } }, {}, true],
    ["method regex", { method: { regex: "PUT|POST" } }, {}, false],
    ["authority", { authority: { prefix: "rev" } }, {}, true],
    ["scheme", { scheme: { exact: "https" } }, {}, false],
    ["header exact", { headers: { "End-User": { exact: "jason" } } }, { "end-user": "jason" }, true],
    ["header of other case", { headers: { "end-user": { exact: "jason" } } }, { "end-user": "Jason" }, false],
    ["header absent", { headers: { "end-user": { exact: "" } } }, {}, false],
    ["header empty", { headers: { "end-user": { exact: "" } } }, { "end-user": "" }, true],
    ["header repeated is joined", { headers: { x: { exact: "a,b" } } }, { x: ["a", "b"] }, true],
    ["header repeated is not its first value", { headers: { x: { exact: "a" } } }, { x: ["a", "b"] }, false],
    ["header present", { headers: { x: {} } }, { x: "" }, true],
    ["header present, said so", { headers: { x: { present: true } } }, {}, false],
    ["header with an empty prefix is presence", { headers: { x: { prefix: "" } } }, { x: "y" }, true],
    ["cookie by regex", { headers: { cookie: { regex: "^(.*?;\\s*)?(user=jason)(;.*)?$" } } }, { cookie: "a=b; user=jason; c=d" }, true],
    ["cookie by regex, another", { headers: { cookie: { regex: "^(.*?;\\s*)?(user=jason)(;.*)?$" } } }, { cookie: "superuser=jason" }, false],
    ["withoutHeaders, matching", { withoutHeaders: { x: { exact: "a" } } }, { x: "a" }, false],
    ["withoutHeaders, other value", { withoutHeaders: { x: { exact: "a" } } }, { x: "b" }, true],
    ["withoutHeaders, absent", { withoutHeaders: { x: { exact: "a" } } }, {}, true],
    ["withoutHeaders, absent counts as empty", { withoutHeaders: { x: { regex: "a*" } } }, {}, false],
    ["withoutHeaders, any value by regex is presence", { withoutHeaders: { x: { regex: ".*" } } }, {}, true],
    ["uri by the regex *", { uri: { regex: "*" } }, {}, true],
    ["header by the regex *", { headers: { x: { regex: "*" } } }, {}, false],
    ["withoutHeaders {}, absent", { withoutHeaders: { x: {} } }, {}, true],
    ["withoutHeaders {}, empty", { withoutHeaders: { x: {} } }, { x: "" }, false],
    ["query", { queryParams: { q: { exact: "1" } } }, { ":path": "/?q=1" }, true],
    ["query, first value", { queryParams: { q: { exact: "2" } } }, { ":path": "/?q=1&q=2" }, false],
    ["query names have case", { queryParams: { Q: { exact: "1" } } }, { ":path": "/?q=1" }, false],
    ["query not decoded", { queryParams: { q: { exact: "a b" } } }, { ":path": "/?q=a%20b" }, false],
    ["query present", { queryParams: { q: {} } }, { ":path": "/?q" }, true],
    ["all must hold", { uri: { prefix: "/" }, headers: { x: { exact: "a" }, y: {} } }, { x: "a" }, false],
  ])("%s", (_name, match, headers, matches) => {
    expect(choose(only(match), headers)).toBe(matches ? "yes" : "none");
  });
});

describe("the choice", () => {
  const rules = { routes: [{ key: "0", match: { headers: { a: {} } } }, { key: "1", match: { headers: { b: {} } } }, { key: "2", match: { headers: { a: {}, b: {} } } }, { key: "3" }] };

  it("is the first rule that matches", () => {
    expect(choose(rules, { a: "", b: "" })).toBe("0");
    expect(choose(rules, { b: "" })).toBe("1");
    expect(choose(rules)).toBe("3");
  });

  it("is not made where the virtual host has no rules, and no header can make it", () => {
    expect(choose(undefined, { "scrim.route": "0", "wasm.scrim.route": "0", "x-scrim-route": "0" })).toBeUndefined();
    expect(choose(rules, { "scrim.route": "0", "wasm.scrim.route": "0", "x-scrim-route": "0" })).toBe("3");
  });

  it("follows the content's id", () => {
    const fresh = createHost({ module, configuration: "{}" });
    expect(choose(only({}), {}, fresh, "v1")).toBe("yes");
    expect(choose({ routes: [{ key: "other" }] }, {}, fresh, "v1")).toBe("yes");
    expect(choose({ routes: [{ key: "other" }] }, {}, fresh, "v2")).toBe("other");
  });

  it.each<[unknown, string]>([
    ["{", "not JSON"],
    [{ routes: [{ key: "" }] }, "routes[0].key: expected a key"],
    [{ routes: [{ key: "a", match: { uri: { suffix: "x" } } }] }, "routes[0].match.uri.suffix: unknown field"],
    [{ routes: [{ key: "a", match: { uri: { exact: "a", prefix: "b" } } }] }, "routes[0].match.uri: expected only one of"],
    [{ routes: [{ key: "a", match: { headers: { x: { regex: "(" } } } }] }, "routes[0].match.headers.x.regex: missing )"],
    [{ routes: [{ key: "a", match: { port: 80 } }] }, "routes[0].match.port: unknown field"],
  ])("rules with a mistake match nothing and say so: %j", (rules, message) => {
    const fresh = createHost({ module, configuration: "{}" });
    expect(choose(rules, {}, fresh, "bad")).toBe("none");
    expect(choose(rules, {}, fresh, "bad")).toBe("none");
    expect(fresh.logged("error").filter((line) => line.includes(message))).toHaveLength(1);
  });

  it("refuses a plugin configuration that is not empty", () => {
    const result = startHost({ module, configuration: '{"routes":[]}' });
    expect(result.ok ? "accepted" : result.reason).toContain("routes: unknown field");
    expect(startHost({ module }).ok).toBe(true);
  });

  it("the example is valid, and works", () => {
    const example = JSON.parse(file("rules.example.json").toString()) as unknown;
    expect(schema(example)).toBe(true);
    expect(choose(example, { cookie: "tier=gold" })).toBe("0.1");
  });
});

describe("robustness", () => {
  it("never traps on any rules and any request", () => {
    const bytes = fc.uint8Array({ maxLength: 40 }).map((value) => Buffer.from(value).toString("latin1"));
    const rules = { routes: [{ key: "a", match: { uri: { regex: "/(a|b)*\\w+" }, headers: { x: { regex: "(?i)[^a-f]+" } }, queryParams: { q: { prefix: "1" } } } }, { key: "b", match: { withoutHeaders: { cookie: { regex: ".*x.*" } } } }] };
    fc.assert(fc.property(bytes, fc.array(bytes, { maxLength: 3 }), bytes, (path, x, cookie) => void choose(rules, { ":path": path, x, cookie })), { numRuns: 500 });
    fc.assert(fc.property(fc.json({ maxDepth: 4 }), (text) => void choose(text)), { numRuns: 200 });
    expect(host.failure()).toBeUndefined();
  });

  it("keeps a bounded number of tables, and none of the garbage", () => {
    const fresh = createHost({ module, configuration: "{}" });
    fresh.setLogLevel("warn");
    const round = (from: number): void => {
      for (let i = from; i < from + 1500; i++) choose({ routes: [{ key: `k${i}`, match: { headers: { "end-user": { regex: `user-${i}-[a-z]+` } } } }] }, { "end-user": `user-${i}-x` }, fresh);
    };
    round(0);
    round(10_000);
    const before = fresh.memoryBytes();
    round(20_000);
    round(30_000);
    expect(fresh.memoryBytes()).toBe(before);
    for (let i = 0; i < 10_000; i++) choose(only({ headers: { x: { regex: "a.*" } } }), { x: ["a", "b"] }, fresh);
    expect(fresh.memoryBytes()).toBe(before);
  }, 120_000);
});
