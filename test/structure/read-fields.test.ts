// What a field does is what is said of it: translation must ask for every field that is accepted without a word.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { translateProxy } from "../../controlplane/cli/translate-proxy.ts";
import { allKinds, type Kind, kindDefinitions } from "../../controlplane/model/kinds.ts";
import type { MeshObject } from "../../controlplane/model/object.ts";
import { planRouters } from "../../controlplane/pods/gateway-plan.ts";
import { loadText } from "../../controlplane/store/load.ts";
import { createWorld } from "../../controlplane/world/world.ts";
import { scenarioNames } from "../golden/scenario.ts";

const golden = fileURLToPath(new URL("../golden", import.meta.url));
const KINDS: readonly Kind[] = [
  "VirtualService",
  "DestinationRule",
  "Gateway",
  "ServiceEntry",
  "Sidecar",
  "PeerAuthentication",
  "AuthorizationPolicy",
  "Telemetry",
  "RateLimitPolicy",
  "QuotaSpec",
  "QuotaSpecBinding",
];

interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly "x-not-yet"?: true;
  readonly "x-no-effect"?: true | string;
}

/** Of these it is told where they are used that nobody reads them. */
function isSaidNotToBe(schema: Schema): boolean {
  return schema["x-not-yet"] !== undefined || schema["x-no-effect"] !== undefined;
}

/** A field by its name and its neighbours': the same part of a schema stands in several places. */
function fieldKey(schema: Schema, name: string): string {
  return `${Object.keys(schema.properties ?? {}).join()} ${name}`;
}

/** Returns every field of a schema by its key, with a path to it: `[]` for items, `*` for the entries of a map. */
function fieldsOf(schema: Schema, path: string): readonly (readonly [key: string, path: string])[] {
  const fields = Object.entries(schema.properties ?? {}).filter(([, inner]) => !isSaidNotToBe(inner));
  const own = fields.flatMap(([name, inner]) => [
    [fieldKey(schema, name), `${path}.${name}`] as const,
    ...fieldsOf(inner, `${path}.${name}`),
  ]);
  const entries = Object.values(schema.patternProperties ?? {}).flatMap((inner) => fieldsOf(inner, `${path}.*`));
  return [...own, ...entries, ...(schema.items ? fieldsOf(schema.items, `${path}[]`) : [])];
}

/** Returns the value as one that notes which of its fields are asked for. */
function noting<T>(value: T, schema: Schema | undefined, asked: Set<string>): T {
  if (typeof value !== "object" || value === null || schema === undefined) return value;
  const entries = Object.values(schema.patternProperties ?? {})[0];
  const inner = (name: string) => (Array.isArray(value) ? schema.items : (schema.properties?.[name] ?? entries));
  const copy = (Array.isArray(value) ? [] : {}) as Record<string, unknown>;
  for (const [name, field] of Object.entries(value)) copy[name] = noting(field, inner(name), asked);
  return new Proxy(copy, {
    get(target, name, receiver) {
      if (typeof name === "string" && schema.properties?.[name] !== undefined) asked.add(fieldKey(schema, name));
      return Reflect.get(target, name, receiver) as unknown;
    },
  }) as T;
}

function askedFor(text: string, asked: Set<string>, workload: string): void {
  const { world } = loadText(text);
  const objects = allKinds.flatMap((kind): readonly MeshObject[] =>
    world
      .list(kind)
      .map((object) =>
        KINDS.includes(kind)
          ? { ...object, spec: noting(object.spec, kindDefinitions[kind].schema as Schema, asked) }
          : object,
      ),
  );
  const modules = {
    builtin: (name: string) => ({ sha256: name, bytes: Uint8Array.of(0, 0x61, 0x73, 0x6d) }),
    differsByProxy: () => false,
    plugin: () => ({ kind: "unavailable", reason: "none" }) as const,
  };
  const noted = createWorld(objects, world.mesh);
  const workloads = [
    workload,
    ...world.list("Deployment").map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
    ...planRouters(world).map(({ namespace, name }) => `${namespace}/${name}`),
  ];
  for (const name of new Set(workloads)) translateProxy(noted, name, modules);
}

/** What no golden scenario holds. */
const PROBE = `
{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {template: {metadata: {labels: {app: web}}}}}
---
{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: a}, spec: {rules: [{
  from: [{source: {remoteIpBlocks: [1.2.3.4], notRemoteIpBlocks: [1.2.3.5], trustDomains: [a], notTrustDomains: [b]}}],
  to: [{operation: {notHosts: [a], notMethods: [GET], notPaths: [/a]}}]}]}}
---
{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: a}, spec: {host: web, trafficPolicy: {
  connectionPool: {http: {http2KeepAlive: {interval: 1s, timeout: 1s}}, tcp: {idleTimeout: 1s}},
  loadBalancer: {consistentHash: {httpCookie: {name: c, attributes: [{name: SameSite, value: Lax}]}, minimumRingSize: 10}},
  tls: {mode: MUTUAL, clientCertificate: /c.pem, privateKey: /k.pem}}}}
---
{apiVersion: policy.scrim.mesh/v1alpha1, kind: RateLimitPolicy, metadata: {name: a}, spec: {limits: [
  {name: a, requests: 1, per: 1s, key: [{pathCapture: "/a/{*}"}], overrides: [{values: ["b"], requests: 2, per: 1s, burst: 2, perKey: true}]},
  {name: b, requests: 1, per: 1s, key: [{route: true}], overrides: [{name: x, principals: [a], requests: 2}]}]}}
---
{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: a}, spec: {hosts: [web], http: [
  {match: [{uri: {prefix: /a}}], directResponse: {status: 200, body: {bytes: YQ==}}},
  {match: [{uri: {prefix: /b}}], fault: {delay: {fixedDelay: 1s, percent: 5}}, route: [{destination: {host: web}}],
   mirror: {host: web}, mirrorPercent: 5},
  {route: [{destination: {host: web}}], mirrors: [{destination: {host: web}, percentage: {value: 5}}]}]}}
`;

/** Fields that translation does not ask for, and why. */
const UNASKED: Readonly<Record<string, string>> = {
  "Gateway.servers[].name": "for people, as Istio says",
  "Gateway.servers[].tls.tlsCertificates[].caCertificates": "a server that has them is warned of: it is not opened",
  "Gateway.servers[].tls.tlsCertificates[].privateKey": "the same",
  "Gateway.servers[].tls.tlsCertificates[].serverCertificate": "the same",
};

describe("every field that is accepted", () => {
  it("is asked for by translation, or stands here with a reason", () => {
    const asked = new Set<string>();
    for (const name of scenarioNames(golden))
      askedFor(
        readFileSync(join(golden, name, "input.yaml"), "utf8"),
        asked,
        readFileSync(join(golden, name, "proxy.txt"), "utf8").trim(),
      );
    expect(loadText(PROBE).violations).toEqual([]);
    askedFor(PROBE, asked, "default/web");
    const fields = new Map(
      KINDS.flatMap((kind) => fieldsOf(kindDefinitions[kind].schema as Schema, kind)).toReversed(),
    );
    const unasked = [...fields].filter(([key]) => !asked.has(key)).map(([, path]) => path);
    expect(unasked.sort()).toEqual(Object.keys(UNASKED).sort());
  });
});
