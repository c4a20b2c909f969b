// A mesh where one workload asks for Envoy's own filters by annotation and the others have the Wasm ones: the same YAML
// has the same effect on both.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Mesh, request, startMesh } from "../../support/mesh.ts";
import { object } from "../../support/objects.ts";
import { eventually } from "../../support/until.ts";
import { documents, echoDeployment, service } from "../../support/workloads.ts";

let mesh: Mesh;
const withEngine = (deployment: string, engine: string): string =>
  deployment.replace("annotations: {", `annotations: {scrim.mesh/engine: ${engine}, `);

beforeAll(async () => {
  mesh = await startMesh({
    files: {
      "workloads.yaml": documents(
        service("wasm"),
        service("native"),
        echoDeployment({ name: "wasm-v1", app: "wasm" }),
        withEngine(echoDeployment({ name: "native-v1", app: "native" }), "native"),
        echoDeployment({ name: "client", app: "client" }),
        withEngine(echoDeployment({ name: "native-client", app: "native-client" }), "native"),
      ),
      "policies.yaml": documents(
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n" +
          'metadata: {name: tried, namespace: default, annotations: {istio.io/dry-run: "true"}}\n' +
          "spec: {action: DENY, rules: [{to: [{operation: {paths: [/tried]}}]}]}\n",
        object("AuthorizationPolicy", "watched", "{action: AUDIT, rules: [{to: [{operation: {paths: [/watched]}}]}]}"),
        object("AuthorizationPolicy", "no-admin", "{action: DENY, rules: [{to: [{operation: {paths: [/admin*]}}]}]}"),
        object(
          "AuthorizationPolicy",
          "members",
          `{rules: [{from: [{source: {principals: ["*"]}}],
  when: [{key: "request.headers[x-role]", values: [member]}]}]}`,
        ),
        object(
          "RateLimitPolicy",
          "few",
          "{limits: [{name: few, requests: 2, per: 3600s, match: {paths: [/limited]}}]}",
        ),
        object(
          "VirtualService",
          "wasm",
          `{hosts: [wasm], http: [
  {match: [{headers: {x-way: {exact: short}}}], directResponse: {status: 203}},
  {route: [{destination: {host: wasm}}]}]}`,
        ),
      ),
    },
  });
}, 120_000);
afterAll(() => mesh?.stop());

async function filtersOf(workload: string): Promise<string> {
  const { envoyAdmin } = await mesh.proxy(workload);
  return (await request(`http://${envoyAdmin}/config_dump?resource=ecds_filters`)).body;
}

describe.each(["wasm", "native"])("a server with engine: %s", (server) => {
  const ask = async (path: string, role = "member", client = "client") =>
    (await mesh.from(client, `http://${server}${path}`, { headers: { "x-role": role } })).status;

  it("is guarded", async () => {
    expect([await ask("/a"), await ask("/a", "guest"), await ask("/admin/x"), await ask("/%61dmin")]).toEqual([
      200, 403, 403, 403,
    ]);
    const limited = [];
    for (let i = 0; i < 4; i++) limited.push(await ask("/limited"));
    expect(limited).toEqual([200, 200, 429, 429]);
  });

  it("is guarded by what it asked for", async () => {
    const dump = await filtersOf(`${server}-v1`);
    // The Wasm filter gets the policies as JSON, Envoy's own as RBAC rules.
    expect([
      dump.includes("default/no-admin[0]"),
      dump.includes("LocalRateLimit"),
      dump.includes('\\"name\\":\\"default/no-admin\\"'),
    ]).toEqual(server === "native" ? [true, true, false] : [false, false, true]);
  });

  it("only counts what is on trial or to be audited", async () => {
    expect([await ask("/tried"), await ask("/watched")]).toEqual([200, 200]);
    const { envoyAdmin } = await mesh.proxy(`${server}-v1`);
    const count = async (name: string) =>
      Number(
        new RegExp(`${name}: (\\d+)`).exec((await request(`http://${envoyAdmin}/stats?filter=${name}`)).body)?.[1] ?? 0,
      );
    // Envoy's RBAC logs by dynamic metadata alone: it has no count of its own for that.
    for (const name of server === "native"
      ? ["istio_dry_run_deny_.shadow_denied"]
      : ["scrim_authz_dry_run_denied_total", "scrim_authz_audited_total"]) {
      await eventually(name, async () => (await count(name)) > 0 || undefined);
    }
  });

  it("obeys a change", async () => {
    mesh.write(
      "more.yaml",
      object(
        "AuthorizationPolicy",
        "more",
        `{action: DENY, selector: {matchLabels: {app: ${server}}}, rules: [{to: [{operation: {paths: [/more]}}]}]}`,
      ),
    );
    await eventually("the new policy", async () => (await ask("/more")) === 403 || undefined);
    mesh.remove("more.yaml");
    await eventually("its end", async () => (await ask("/more")) === 200 || undefined);
  });
});

it.each(["client", "native-client"])("header rules hold at %s", async (client) => {
  const status = async (way: string) =>
    (await mesh.from(client, "http://wasm/b", { headers: { "x-role": "member", "x-way": way } })).status;
  expect([await status("short"), await status("long")]).toEqual([203, 200]);
});
