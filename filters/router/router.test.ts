import { Ajv2020 } from "ajv/dist/2020.js";
import { createHost, createHostRunner, scenarioProblems, startHost } from "proxy-wasm-host";
import { describe, expect, it } from "vitest";
import { modulePath } from "../module-path.ts";
import { scenarios } from "./router.scenarios.ts";
import { choose, file, host, module, only, token, type Headers } from "./testing.ts";

const schema = new Ajv2020({ strict: false }).compile(JSON.parse(file("rules.schema.json").toString()));

describe("scenarios", () => {
  const runner = createHostRunner(modulePath);
  it.each(scenarios.map((scenario) => [scenario.name, scenario] as const))("%s", async (_name, scenario) => {
    expect(scenarioProblems(scenario, await runner.run(scenario))).toEqual([]);
  });
});

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
    ["header repeated, one of its values", { headers: { x: { exact: "b" } } }, { x: ["a", "b"] }, true],
    ["header repeated is not joined", { headers: { x: { exact: "a,b" } } }, { x: ["a", "b"] }, false],
    ["withoutHeaders, one of several values", { withoutHeaders: { x: { exact: "b" } } }, { x: ["a", "b"] }, false],
    ["withoutHeaders, none of several values", { withoutHeaders: { x: { exact: "c" } } }, { x: ["a", "b"] }, true],
    ["header present", { headers: { x: {} } }, { x: "" }, true],
    ["header present, said so", { headers: { x: { present: true } } }, {}, false],
    ["header with an empty prefix is presence", { headers: { x: { prefix: "" } } }, { x: "y" }, true],
    [
      "cookie by regex",
      { headers: { cookie: { regex: "^(.*?;\\s*)?(user=jason)(;.*)?$" } } },
      { cookie: "a=b; user=jason; c=d" },
      true,
    ],
    [
      "cookie by regex, another",
      { headers: { cookie: { regex: "^(.*?;\\s*)?(user=jason)(;.*)?$" } } },
      { cookie: "superuser=jason" },
      false,
    ],
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
    ["header one of several lines", { headers: { x: { lines: "a\nb c\nd" } } }, { x: "b c" }, true],
    ["header a part of a line", { headers: { x: { lines: "a\nb c\nd" } } }, { x: "b" }, false],
    ["header empty, an empty line", { headers: { x: { lines: "a\n" } } }, { x: "" }, true],
    ["a claim without a token", { claims: { "[sub]": { exact: "a" } } }, {}, false],
    ["withoutClaims without a token", { withoutClaims: { "[sub]": {} } }, {}, true],
    ["all must hold", { uri: { prefix: "/" }, headers: { x: { exact: "a" }, y: {} } }, { x: "a" }, false],
  ])("%s", (_name, match, headers, matches) => {
    expect(choose(only(match), headers)).toBe(matches ? "yes" : "none");
  });
});

describe("the choice", () => {
  const rules = {
    routes: [
      { key: "0", match: { headers: { a: {} } } },
      { key: "1", match: { headers: { b: {} } } },
      { key: "2", match: { headers: { a: {}, b: {} } } },
      { key: "3" },
    ],
  };

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
    [
      { routes: [{ key: "a", match: { uri: { exact: "a", prefix: "b" } } }] },
      "routes[0].match.uri: expected only one of",
    ],
    [
      { routes: [{ key: "a", match: { headers: { x: { regex: "(" } } } }] },
      "routes[0].match.headers.x.regex: missing )",
    ],
    [{ routes: [{ key: "a", match: { port: 80 } }] }, "routes[0].match.port: unknown field"],
  ])("rules with a mistake match nothing and say so: %j", (rules, message) => {
    const fresh = createHost({ module, configuration: "{}" });
    expect(choose(rules, {}, fresh, "bad")).toBe("none");
    expect(choose(rules, {}, fresh, "bad")).toBe("none");
    expect(fresh.logged("error").filter((line) => line.includes(message))).toHaveLength(1);
    expect(fresh.metrics.counter("scrim_router_refused_total")).toBe(1);
  });

  it("refuses a plugin configuration that is not empty", () => {
    const result = startHost({ module, configuration: '{"routes":[]}' });
    expect(result.kind === "failed" ? result.message : "accepted").toContain("routes: unknown field");
    expect(startHost({ module }).kind).toBe("started");
  });

  it("the example is valid, and works", () => {
    const example = JSON.parse(file("rules.example.json").toString()) as unknown;
    expect(schema(example)).toBe(true);
    expect(choose(example, { cookie: "tier=gold" })).toBe("0.1");
  });
});

describe("claims of a verified token", () => {
  it.each<[string, object, object, boolean]>([
    ["exact", { claims: { "[sub]": { exact: "anna" } } }, { sub: "anna" }, true],
    ["another", { claims: { "[sub]": { exact: "anna" } } }, { sub: "annabel" }, false],
    ["prefix", { claims: { "[sub]": { prefix: "ann" } } }, { sub: "anna" }, true],
    ["regex", { claims: { "[sub]": { regex: "[a-n]+" } } }, { sub: "anna" }, true],
    ["inside a map", { claims: { "[realm][role]": { exact: "admin" } } }, { realm: { role: "admin" } }, true],
    ["one of a list", { claims: { "[groups]": { exact: "beta" } } }, { groups: ["alpha", "beta"] }, true],
    ["none of a list", { claims: { "[groups]": { exact: "gamma" } } }, { groups: ["alpha", "beta"] }, false],
    ["present", { claims: { "[sub]": {} } }, { sub: "x" }, true],
    ["not present", { claims: { "[aud]": {} } }, { sub: "x" }, false],
    ["a number is no text", { claims: { "[n]": { exact: "1" } } }, { n: 1 }, false],
    ["without, matching", { withoutClaims: { "[sub]": { exact: "anna" } } }, { sub: "anna" }, false],
    ["without, another", { withoutClaims: { "[sub]": { exact: "anna" } } }, { sub: "bert" }, true],
  ])("%s", (_name, match, payload, matches) => {
    expect(choose(only(match), {}, host, undefined, token(payload))).toBe(matches ? "yes" : "none");
  });

  it("are not what a client says they are", () => {
    const rules = only({ claims: { "[sub]": { exact: "anna" } } });
    expect(
      choose(rules, {
        "@request.auth.claims.sub": "anna",
        "x-jwt-payload": "eyJzdWIiOiJhbm5hIn0",
        sub: "anna",
        authorization: "Bearer e30.eyJzdWIiOiJhbm5hIn0.",
      }),
    ).toBe("none");
  });
});
