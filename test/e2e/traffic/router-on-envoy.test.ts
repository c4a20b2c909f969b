// The router filter on real proxies: it decides every match as Envoy itself would, keeps users with their share, and
// nobody outside can make its choice.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Mesh, request } from "../../support/mesh.ts";
import { eventually } from "../../support/until.ts";
import { conditions, requests } from "./route-conditions.ts";
import { rule, startWebMesh } from "./web-mesh.ts";

let mesh: Mesh;

beforeAll(async () => void (mesh = await startWebMesh(rule("{}"))), 120_000);
afterAll(() => mesh?.stop());

const meshConfig = (engine: string): string => `apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: "engine: ${engine}"}
`;

const virtualService = (http: readonly string[], annotations = ""): string => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: default, annotations: {${annotations}}}
spec: {hosts: [web], http: [${http.join(",\n  ")}]}
`;

async function applied(...texts: readonly string[]): Promise<void> {
  await mesh.apply("routes.yaml", ...texts);
  expect(await mesh.errorsIn("routes.yaml")).toEqual([]);
}

async function chosenByFilter(): Promise<number> {
  const { envoyAdmin } = await mesh.proxy("client");
  const stats = (
    await request(`http://${envoyAdmin.replace(/^https?:\/\//, "")}/stats?filter=scrim_router_matched_total`)
  ).body;
  return Number(/scrim_router_matched_total: (\d+)/.exec(stats)?.[1] ?? 0);
}

describe("every match", () => {
  it("is decided by the filter as Envoy decides it", async () => {
    const routes = [
      ...conditions.map(
        (condition, i) => `{match: [{${condition}}], directResponse: {status: 200, body: {string: 'r${i}'}}}`,
      ),
      "{directResponse: {status: 200, body: {string: last}}}",
    ];
    const decided = async (engine: string): Promise<readonly string[]> => {
      await applied(meshConfig(engine), virtualService(routes));
      await eventually(`decisions by ${engine}`, async () => {
        const before = await chosenByFilter();
        await mesh.from("client", "http://web/probe");
        return (await chosenByFilter()) > before === (engine === "wasm") ? true : undefined;
      });
      const bodies: string[] = [];
      for (const [path, options] of requests)
        bodies.push((await mesh.from("client", `http://web${path}`, options)).body);
      return bodies;
    };
    const native = await decided("native");
    const filter = await decided("wasm");
    expect(requests.map((one, i) => [...one, filter[i]])).toEqual(requests.map((one, i) => [...one, native[i]]));
    expect(new Set(native).size).toBeGreaterThan(conditions.length * 0.75);
  }, 60_000);
});

describe("a sticky route", () => {
  const weighted = (v1: number, v2: number): string =>
    `{route: [{destination: {host: web, subset: v1}, weight: ${v1}}, {destination: {host: web, ` +
    `subset: v2}, weight: ${v2}}]}`;
  const users = Array.from({ length: 60 }, (_, i) => `user-${i}`);
  const version = async (user: string, times = 1): Promise<string> => {
    const seen = new Set<string>();
    for (let i = 0; i < times; i++)
      seen.add(
        String((await mesh.from("client", "http://web/", { headers: { "x-user": user } })).headers["x-version"]),
      );
    return [...seen].join();
  };

  it.each(["wasm", "native"])(
    "keeps a user with a version, and takes nobody away from the one that grows (engine %s)",
    async (engine) => {
      let members: string[] = [];
      for (const percent of [10, 40, 80]) {
        await applied(
          meshConfig(engine),
          virtualService([weighted(100 - percent, percent)], "scrim.mesh/sticky: 'header:x-user'"),
        );
        const now: string[] = [];
        for (const user of users) if ((await version(user, 2)) === "v2") now.push(user);
        expect(members.filter((user) => !now.includes(user))).toEqual([]);
        expect(Math.abs(now.length / users.length - percent / 100)).toBeLessThan(0.25);
        members = now;
      }
      for (const user of users) expect(["v1", "v2"]).toContain(await version(user, 2));
    },
    60_000,
  );

  it("draws by chance for whoever has no key", async () => {
    await applied(meshConfig("wasm"), virtualService([weighted(50, 50)], "scrim.mesh/sticky: 'cookie:user; salt=a'"));
    const seen = new Set<string>();
    for (let i = 0; i < 40 && seen.size < 2; i++) seen.add(await version("anna"));
    expect([...seen].sort()).toEqual(["v1", "v2"]);
  });
});

describe("a client", () => {
  it("cannot make the choice: no header, no query, no name of the mesh's own", async () => {
    await applied(
      meshConfig("wasm"),
      virtualService([
        "{match: [{headers: {x-admin: {exact: 'no one knows'}}}], directResponse: {status: 200, body: " +
          "{string: secret}}}",
        "{directResponse: {status: 200, body: {string: public}}}",
      ]),
    );
    const forged = {
      "scrim.route": "0.0",
      "wasm.scrim.route": "0.0",
      "x-scrim-route": "0.0",
      "x-envoy-route": "0.0",
      "x-envoy-original-path": "/",
      "x-envoy-force-trace": "1",
      "wasm-scrim-route": "0.0",
      "x-envoy-decorator-operation": "0.0",
    };
    for (const [name, value] of Object.entries(forged))
      expect([
        name,
        (await mesh.from("client", "http://web/?scrim.route=0.0&wasm.scrim.route=0.0", { headers: { [name]: value } }))
          .body,
      ]).toEqual([name, "public"]);
    expect(
      (
        await mesh.from("client", "http://web/", {
          headers: { ...forged, cookie: "scrim.route=0.0; wasm.scrim.route=0.0" },
        })
      ).body,
    ).toBe("public");
    expect((await mesh.from("client", "http://web/", { headers: { "x-admin": "no one knows" } })).body).toBe("secret");
  });

  it("learns nothing of the choice: upstream sees only what was sent", async () => {
    await applied(
      meshConfig("wasm"),
      virtualService([
        "{match: [{headers: {x-user: {exact: anna}}}], route: [{destination: {host: web, subset: v2}}]}",
        "{route: [{destination: {host: web, subset: v1}}]}",
      ]),
    );
    const answer = await mesh.from("client", "http://web/", { headers: { "x-user": "anna" } });
    expect(answer.headers["x-version"]).toBe("v2");
    expect(`${answer.body}${JSON.stringify(answer.headers)}`).not.toContain("scrim.route");
  });
});

describe("a table of 2,000 tenants", () => {
  it("finds its subset in two rules", async () => {
    const tenants = Array.from(
      { length: 2000 },
      (_, i) =>
        `{match: [{headers: {x-tenant: {exact: t${i}}}}], route: [{destination: {host: web, subset: ` +
        `v${(i % 2) + 1}}}]}`,
    );
    await applied(meshConfig("wasm"), virtualService([...tenants, "{directResponse: {status: 404}}"]));
    for (const i of [0, 1, 998, 1999])
      expect(
        (await mesh.from("client", "http://web/", { headers: { "x-tenant": `t${i}` } })).headers["x-version"],
      ).toBe(`v${(i % 2) + 1}`);
    expect((await mesh.from("client", "http://web/", { headers: { "x-tenant": "t2000" } })).status).toBe(404);
  }, 60_000);
});
