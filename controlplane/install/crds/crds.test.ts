import { describe, expect, it } from "vitest";
import { isJsonObject } from "../../model/json-object.ts";
import { allKinds, kindDefinitions } from "../../model/kinds.ts";
import { customResourceDefinitions } from "./custom-resource-definitions.ts";

type Schema = Readonly<Record<string, unknown>>;

const definitions = customResourceDefinitions();

function schemaOf(name: string): Schema {
  const versions = definitions.find(({ metadata }) => metadata.name === name)?.spec["versions"] as readonly {
    schema: { openAPIV3Schema: Schema };
  }[];
  return versions[0]?.schema.openAPIV3Schema ?? {};
}

/** Returns every field below a schema by its path, lists and maps left out. */
function fieldsOf(schema: Schema, path = ""): readonly (readonly [path: string, schema: Schema])[] {
  const { properties = {}, items, additionalProperties } = schema;
  return [
    ...Object.entries(properties as Record<string, Schema>).flatMap(([name, inner]) => [
      [`${path}.${name}`, inner] as const,
      ...fieldsOf(inner, `${path}.${name}`),
    ]),
    ...[items, additionalProperties].filter(isJsonObject).flatMap((inner) => fieldsOf(inner, path)),
  ];
}

function at(name: string, path: string): Schema | undefined {
  return fieldsOf(schemaOf(name)).find(([other]) => other === path)?.[1];
}

describe("the definitions of custom resources", () => {
  it("are there for every kind of Istio's and ours in every version that is served", () => {
    const served = definitions.flatMap(({ spec }) => {
      const { kind } = spec["names"] as { kind: string };
      return (spec["versions"] as { name: string }[]).map(({ name }) => `${kind} ${String(spec["group"])}/${name}`);
    });
    const expected = allKinds.flatMap((kind) =>
      kindDefinitions[kind].apiVersions
        .filter((version) => /\.istio\.io\/|\.scrim\.mesh\//.test(version))
        .map((version) => `${kind} ${version}`),
    );
    expect([...served].sort()).toEqual([...expected].sort());
  });

  it("say of every field what it means", () => {
    const silent = definitions.flatMap(({ metadata: { name } }) =>
      fieldsOf(schemaOf(name))
        .filter(([, schema]) => schema["description"] === undefined)
        .map(([path]) => `${name} ${path}`),
    );
    expect(silent).toEqual([]);
  });

  it("say of a field that nobody obeys that it is not, and take it", () => {
    expect(at("destinationrules.networking.istio.io", ".spec.trafficPolicy.tunnel")).toMatchObject({
      type: "object",
      description: "Connections go through a proxy. Not supported yet: an object that uses it is refused.",
    });
    expect(at("gateways.networking.istio.io", ".spec.servers.bind")?.["description"]).toBe(
      "The address that is listened on. It has no effect: the proxy's own addresses are listened on.",
    );
    expect(at("authorizationpolicies.security.istio.io", ".spec.action")?.["enum"]).toContain("CUSTOM");
  });

  it("have a rule of ours for fields that exclude each other, and a plain schema deep in lists of lists", () => {
    expect(at("telemetries.telemetry.istio.io", ".spec")?.["x-kubernetes-validations"]).toEqual([
      expect.objectContaining({ message: "only one of selector, targetRefs, targetRef can be set" }),
    ]);
    expect(at("virtualservices.networking.istio.io", ".spec.http.fault.abort")?.["x-kubernetes-validations"]).toEqual([
      expect.objectContaining({ message: "only one of httpStatus, grpcStatus, http2Error can be set" }),
      expect.objectContaining({ message: "one of httpStatus, grpcStatus, http2Error is required" }),
    ]);
    expect(at("virtualservices.networking.istio.io", ".spec.http.match.uri")?.["oneOf"]).toEqual([
      { required: ["exact"] },
      { required: ["prefix"] },
      { required: ["regex"] },
    ]);
  });

  it("keep the deprecated names of a circuit breaker, which would be lost without a word", () => {
    for (const policy of [".trafficPolicy", ".subsets.trafficPolicy", ".trafficPolicy.portLevelSettings"])
      expect(at("destinationrules.networking.istio.io", `.spec${policy}.httpCircuitBreaker`)).toMatchObject({
        "x-kubernetes-preserve-unknown-fields": true,
      });
  });

  it("show what became of an object", () => {
    for (const { metadata, spec } of definitions)
      for (const version of spec["versions"] as { additionalPrinterColumns: { name: string }[] }[])
        expect(version.additionalPrinterColumns.map(({ name }) => name).slice(-3), metadata.name).toEqual([
          "Accepted",
          "Distributed",
          "Age",
        ]);
  });
});
