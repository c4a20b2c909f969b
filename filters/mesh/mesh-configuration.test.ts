import { Ajv2020 } from "ajv/dist/2020.js";
import { startHost } from "proxy-wasm-host";
import { describe, expect, it } from "vitest";
import { FUNCTIONS, NODE, file, fused, inside, modules, pass, rulesOf } from "./testing.ts";

describe("configuration", () => {
  const ajv = new Ajv2020({ strict: false });
  for (const name of FUNCTIONS)
    ajv.addSchema(
      JSON.parse(file(`../${name}/config.schema.json`).toString()) as object,
      `https://scrim.test/${name}/config.schema.json`,
    );
  const schema = ajv.compile({
    ...(JSON.parse(file("config.schema.json").toString()) as object),
    $id: "https://scrim.test/mesh/config.schema.json",
  });

  it("the example has all four functions, is by the schema, and starts", () => {
    const example = JSON.parse(file("example.json").toString()) as object;
    expect(Object.keys(example)).toEqual([...FUNCTIONS]);
    expect(schema(example), JSON.stringify(schema.errors)).toBe(true);
    expect(startHost({ module: modules.mesh, configuration: JSON.stringify(example) }).kind).toBe("started");
  });

  it.each([
    [{}, "configuration: expected at least one of authz, ratelimit, router, telemetry"],
    [{ other: {} }, "other: unknown field (known: authz, ratelimit, router, telemetry)"],
    [{ authz: { policies: [{ name: "p", action: "MAYBE" }] } }, "authz.policies[0].action: "],
    [
      { authz: { policies: [] }, ratelimit: { limits: [{ name: "l", tokens: 0, intervalMs: 1 }] } },
      "ratelimit.limits[0].tokens: ",
    ],
    [{ router: { a: 1 } }, "router.a: unknown field"],
    [{ telemetry: { reporter: "both" } }, "telemetry.reporter: expected source or destination"],
    [{ telemetry: [] }, "telemetry: expected an object"],
  ])("%j is refused by schema and module", (configuration, message) => {
    expect(schema(configuration)).toBe(false);
    const started = startHost({ module: modules.mesh, configuration: JSON.stringify(configuration) });
    expect(started.kind === "failed" ? started.message : "started").toContain(message);
  });
});

describe("the route that the router chose", () => {
  const outbound = { router: {}, telemetry: { reporter: "source" } };
  const sentMetadata = (rules: object, clusterMetadata: unknown): string | undefined =>
    pass([fused(outbound)], {
      headers: { "x-envoy-peer-metadata": "forged" },
      attributes: { xds: { node: NODE, virtual_host_metadata: rulesOf(rules), cluster_metadata: clusterMetadata } },
    }).upstream["x-envoy-peer-metadata"];

  it("takes this proxy's metadata along where it stays in the mesh, though Envoy shows no cluster yet", () => {
    expect(sentMetadata({ routes: [{ key: "0", inside: true }] }, undefined)).toMatch(/^[A-Za-z0-9+/]+=*$/);
  });

  it("takes nothing out of the mesh, whatever the first route's cluster was", () => {
    expect(sentMetadata({ routes: [{ key: "0" }] }, inside)).toBeUndefined();
    expect(sentMetadata({ routes: [] }, inside)).toBeUndefined();
  });

  it("without rules the cluster says", () => {
    const sent = (metadata: unknown): string | undefined =>
      pass([fused(outbound)], { headers: {}, attributes: { xds: { node: NODE, cluster_metadata: metadata } } })
        .upstream["x-envoy-peer-metadata"];
    expect(sent(inside)).toBeDefined();
    expect(sent({ filter_metadata: {} })).toBeUndefined();
  });
});
