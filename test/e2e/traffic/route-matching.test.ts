// Which route a request takes: every kind of match, by Envoy and by the router filter.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Answer, Mesh, RequestOptions } from "../../support/mesh.ts";
import { startWebMesh, virtualService } from "./web-mesh.ts";

let mesh: Mesh;
beforeAll(async () => void (mesh = await startWebMesh()), 120_000);
afterAll(() => mesh?.stop());

async function applied(...texts: readonly string[]): Promise<void> {
  await mesh.apply("traffic.yaml", ...texts);
  expect(await mesh.errorsIn("traffic.yaml")).toEqual([]);
}

const ask = (path: string, options: RequestOptions = {}): Promise<Answer> =>
  mesh.from("client", `http://web${path}`, options);

const answering = (name: string, match: string): string =>
  `  - match: ${match}\n    directResponse: {status: 200, body: {string: ${name}}}\n`;
const matches = [
  answering("exact", "[{uri: {exact: /exact}}]"),
  answering("regex", "[{uri: {regex: '/re/[0-9]+'}}]"),
  answering("ignore-case", "[{uri: {prefix: /CaSe}, ignoreUriCase: true}]"),
  answering("post", "[{uri: {prefix: /method}, method: {exact: POST}}]"),
  answering("put-patch", "[{uri: {prefix: /method}, method: {regex: PUT|PATCH}}]"),
  answering("query-exact", "[{uri: {prefix: /query}, queryParams: {q: {exact: '1'}}}]"),
  answering("query-prefix", "[{uri: {prefix: /query}, queryParams: {q: {prefix: ab}}}]"),
  answering("query-regex", "[{uri: {prefix: /query}, queryParams: {q: {regex: 'x+'}}}]"),
  answering("query-present", "[{uri: {prefix: /query}, queryParams: {there: {}}}]"),
  answering("authority", "[{uri: {prefix: /authority}, authority: {prefix: web.default.svc}}]"),
  answering("https", "[{uri: {prefix: /scheme}, scheme: {exact: https}}]"),
  answering("http", "[{uri: {prefix: /scheme}, scheme: {exact: http}}]"),
  answering("either", "[{uri: {exact: /either/a}}, {uri: {exact: /either/b}}]"),
  answering("prefix", "[{uri: {prefix: /pre}}]"),
].join("");
const headerMatches = [
  answering("header-exact", "[{uri: {prefix: /header}, headers: {x-kind: {exact: a}}}]"),
  answering("header-prefix", "[{uri: {prefix: /header}, headers: {X-Kind: {prefix: pre}}}]"),
  answering("header-regex", "[{uri: {prefix: /header}, headers: {x-kind: {regex: '[0-9]+'}}}]"),
  answering("header-present", "[{uri: {prefix: /header}, headers: {x-there: {}}}]"),
  answering("header-and", "[{uri: {prefix: /header}, headers: {x-one: {exact: '1'}, x-two: {exact: '2'}}}]"),
  answering("without", "[{uri: {prefix: /without}, withoutHeaders: {x-internal: {}}}]"),
  answering("without-value", "[{uri: {prefix: /without}, withoutHeaders: {x-internal: {exact: 'yes'}}}]"),
].join("");
const last = answering("default", "[{uri: {prefix: /}}]");

describe.each([
  ["by Envoy's own matching", matches + last],
  ["by the router filter", headerMatches + matches + last],
])("routes are chosen %s", (_name, http) => {
  beforeAll(async () => applied(virtualService(http)));

  it.each<[string, string, RequestOptions?]>([
    ["exact", "/exact"],
    ["exact", "/exact?x=1"],
    ["default", "/exact/"],
    ["default", "/exactly"],
    ["regex", "/re/12"],
    ["regex", "/re/12?y=/z"],
    ["default", "/re/12/x"],
    ["default", "/re/"],
    ["ignore-case", "/case/x"],
    ["ignore-case", "/CASE"],
    ["post", "/method", { method: "POST" }],
    ["put-patch", "/method", { method: "PATCH" }],
    ["default", "/method", { method: "DELETE" }],
    ["query-exact", "/query?q=1"],
    ["query-exact", "/query?a=b&q=1"],
    ["default", "/query?q=12"],
    ["query-prefix", "/query?q=abc"],
    ["query-regex", "/query?q=xxx"],
    ["default", "/query?q=xxy"],
    ["query-present", "/query?there"],
    ["query-present", "/query?there=x"],
    ["default", "/query"],
    ["authority", ".default.svc.cluster.local/authority"],
    ["authority", ".default.svc:80/authority"],
    ["default", "/authority"],
    ["http", "/scheme"],
    ["either", "/either/a"],
    ["either", "/either/b"],
    ["default", "/either/c"],
    ["prefix", "/pre"],
    ["prefix", "/prefixed/by/string"],
    ["default", "/other"],
  ])("%s: %s", async (route, path, options) => {
    expect((await ask(path, options)).body).toBe(route);
  });
});

describe("routes are chosen by headers", () => {
  it.each<[string, string, Record<string, string | string[]>]>([
    ["header-exact", "/header", { "X-KIND": "a" }],
    ["default", "/header", { "x-kind": "b" }],
    ["header-prefix", "/header", { "x-kind": "prefer" }],
    ["header-regex", "/header", { "x-kind": "42" }],
    ["default", "/header", { "x-kind": "42a" }],
    ["header-present", "/header", { "x-there": "any" }],
    ["header-and", "/header", { "x-one": "1", "x-two": "2" }],
    ["default", "/header", { "x-one": "1" }],
    ["without", "/without", {}],
    ["default", "/without", { "x-internal": "yes" }],
    ["without-value", "/without", { "x-internal": "no" }],
  ])("%s: %s %j", async (route, path, headers) => {
    expect((await ask(path, { headers })).body).toBe(route);
  });
});
