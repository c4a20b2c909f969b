// Batches of documents with hostile texts, each at the same moment as a valid change and as STRICT coming or going, on
// real Envoys: each is named, each valid change arrives, STRICT holds; at a start as at an edit.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAllDocuments, stringify } from "yaml";
import { loadText } from "../../controlplane/store/load.ts";
import { HOSTILE, identityOf, textsIn, type Value, withText } from "../support/hostile-documents.ts";
import { type Mesh, request, startMesh } from "../support/mesh.ts";
import { object } from "../support/objects.ts";
import { eventually } from "../support/until.ts";
import { documents, echoDeployment, routeWithHeader, service } from "../support/workloads.ts";

/** What is said wrong, in batches: of each kind that comes to proxies one object, with texts of many fields. */
const SAID = parseAllDocuments(
  documents(
    object(
      "VirtualService",
      "said",
      `{hosts: [said], http: [{match: [{uri: {regex: "/a.*"}, headers: {x-a: {prefix: b}}, sourceLabels: {app: client}}],
        route: [{destination: {host: said, subset: v1}}], rewrite: {uri: /b, authority: a.example},
        headers: {request: {set: {x-b: "%PROTOCOL%"}, remove: [x-c]}, response: {add: {x-d: e}}},
        retries: {attempts: 2, retryOn: "5xx,reset"}, corsPolicy: {allowOrigins: [{exact: "https://a.example"}], allowMethods: [GET]}},
        {match: [{uri: {prefix: /c}}], redirect: {uri: /d, authority: b.example}}, {directResponse: {status: 200, body: {string: all}}}]}`,
    ),
    object(
      "DestinationRule",
      "said",
      `{host: said, subsets: [{name: v1, labels: {app: web}}],
        trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: x-user}}, connectionPool: {tcp: {connectTimeout: 3s}}}}`,
    ),
    object(
      "DestinationRule",
      "outside",
      "{host: outside.example, trafficPolicy: {tls: {mode: SIMPLE, caCertificates: system, sni: outside.example, subjectAltNames: [outside.example]}}}",
    ),
    object(
      "ServiceEntry",
      "outside",
      "{hosts: [outside.example], addresses: [10.9.9.9], ports: [{number: 443, name: http, protocol: HTTP}], resolution: DNS, endpoints: [{address: in.example}]}",
    ),
    object("Telemetry", "logs", "{accessLogging: [{filter: {expression: response.code >= 400}}]}", "istio-system"),
    object(
      "AuthorizationPolicy",
      "said",
      `{selector: {matchLabels: {app: web}}, action: DENY, rules: [{from: [{source: {principals: [cluster.local/ns/a/sa/b], ipBlocks: [10.9.0.0/16]}}],
        to: [{operation: {paths: [/never], methods: [PUT], hosts: [never.example]}}], when: [{key: "request.headers[x-a]", values: [never]}]}]}`,
    ),
    object(
      "RateLimitPolicy",
      "said",
      "{selector: {matchLabels: {app: web}}, limits: [{name: said, requests: 1000, per: 1s, match: {paths: [/never]}, key: [{header: x-user}]}]}",
    ),
    object(
      "Gateway",
      "edge",
      "{selector: {istio: edge}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [edge.example]}]}",
    ),
    object(
      "VirtualService",
      "edge",
      "{hosts: [edge.example], gateways: [edge], http: [{route: [{destination: {host: said}}]}]}",
    ),
    `apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: '{accessLogFormat: "%PROTOCOL% %START_TIME%", connectTimeout: 3s}'}
`,
  ),
).map((document) => document.toJS() as Value);

/** What the control plane's own parser takes, and Envoy does not: that it is found out is what this is about. */
const FOUND_OUT = ["b'\\u00e9' == request.headers['x']", "/nowhere/ca.pem"];

/** One text of each document is another: which, and what, differs by batch. */
function batch(number: number): readonly Value[] {
  return SAID.map((document, index) => {
    const places = [...textsIn(document)];
    const place = places[(number * 7 + index * 3) % places.length]!;
    const isFoundOut = ["Telemetry/logs", "DestinationRule/outside"].indexOf(
      `${document["kind"]}/${identityOf(document)[1]}`,
    );
    const own = place.at(-1) === "expression" || place.at(-1) === "caCertificates" ? FOUND_OUT[isFoundOut] : undefined;
    const text = own ?? HOSTILE[(number * 5 + index * 7) % HOSTILE.length]!;
    return withText(document, place, (before) => (own !== undefined || number % 2 === 0 ? text : before + text));
  });
}

const textOf = (values: readonly Value[]): string => values.map((value) => stringify(value)).join("---\n");
const steady = (number: number): string => routeWithHeader("steady", "x-new", String(number));
const guard = (mode: string): string =>
  object("PeerAuthentication", "default", `{mtls: {mode: ${mode}}}`, "istio-system");

let mesh: Mesh;
beforeAll(async () => {
  mesh = await startMesh({
    files: {
      "workloads.yaml": documents(
        ...["steady", "said"].map((name) => service(name).replace(`app: ${name}`, "app: web")),
        service("client"),
        echoDeployment({ name: "web-v1", app: "web" }),
        echoDeployment({ name: "client", app: "client" }),
      ),
      "said.yaml": textOf(batch(0)),
      "steady.yaml": steady(0),
      "guard.yaml": guard("STRICT"),
    },
  });
});
afterAll(() => mesh?.stop());

interface Told {
  readonly object: string;
  readonly message: string;
}

async function told(): Promise<readonly Told[]> {
  return JSON.parse((await request(`${mesh.admin}/debug/violations`)).body) as readonly Told[];
}

/** Those that their own text makes wrong, whatever Envoy says. */
function refusedAlone(values: readonly Value[]): readonly string[] {
  return values.flatMap((value) =>
    loadText(stringify(value))
      .violations.filter(({ severity }) => severity === "error")
      .map(({ object: name }) => name),
  );
}

async function plaintext(): Promise<number | undefined> {
  const [port] = (await mesh.proxy("web-v1")).ports;
  return (await request(`http://${port!.address}/`).catch(() => undefined))?.status;
}

async function holds(number: number, values: readonly Value[]): Promise<void> {
  const isStrict = number % 2 === 0;
  await eventually(`the valid change ${number}`, async () => {
    const { status, headers } = await mesh.from("client", "http://steady/");
    return (status === 200 && headers["x-new"] === String(number)) || undefined;
  });
  await eventually(
    `${isStrict ? "STRICT" : "PERMISSIVE"} in batch ${number}`,
    async () => ((await plaintext()) === undefined) === isStrict || undefined,
  );
  await eventually(`no proxy to complain in batch ${number}`, async () => {
    const states = (await mesh.proxies()).flatMap(({ sync }) => Object.values(sync));
    return !states.includes("ERROR") || undefined;
  });
  const names = (await told()).map(({ object: name }) => name);
  for (const name of refusedAlone(values)) expect(names, `batch ${number}`).toContain(name);
}

describe("hostile texts beside a valid change and STRICT", () => {
  it("hold up neither at a start, and are named", () => holds(0, batch(0)));

  it.each([1, 2, 3, 4, 5, 6, 7, 8])("nor at an edit: batch %i", async (number) => {
    const values = batch(number);
    mesh.write("said.yaml", textOf(values));
    mesh.write("guard.yaml", guard(number % 2 === 0 ? "STRICT" : "PERMISSIVE"));
    mesh.write("steady.yaml", steady(number));
    await holds(number, values);
  });

  it("are found out by Envoy where nobody could know before", async () => {
    const values = SAID.map((value) => {
      const place = [...textsIn(value)].find((path) => ["expression", "caCertificates"].includes(String(path.at(-1))));
      if (place === undefined) return value;
      return withText(value, place, () => FOUND_OUT[place.at(-1) === "expression" ? 0 : 1]!);
    });
    mesh.write("said.yaml", textOf(values));
    mesh.write("guard.yaml", guard("STRICT"));
    mesh.write("steady.yaml", steady(10));
    await holds(10, []);
    await eventually("both to be named", async () => {
      const said = (await told()).filter(({ message }) => message.includes("Envoy refuses what it says"));
      return said.length === 2 || undefined;
    });
  });
});
