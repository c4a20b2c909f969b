// What only Envoy itself finds to be wrong: it is told as the fault of the object that said it, at a start as at an
// edit, and holds nothing else up.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SyncReport } from "../../../controlplane/admin/contract.ts";
import { selfSigned } from "../../support/certificate.ts";
import { scratchDirectory } from "../../support/children.ts";
import { type Mesh, request, startMesh } from "../../support/mesh.ts";
import { meshConfig, object } from "../../support/objects.ts";
import { eventually } from "../../support/until.ts";
import { documents, echoDeployment, routeWithHeader, service } from "../../support/workloads.ts";

let mesh: Mesh;
/** A file that comes while the mesh runs. */
const late = join(scratchDirectory(), "ca.pem");

const logs = (expression: string) =>
  object(
    "Telemetry",
    "logs",
    `{accessLogging: [{filter: {expression: ${JSON.stringify(expression)}}}]}`,
    "istio-system",
  );
/** The parser of the control plane takes this escape, Envoy's does not. */
const REFUSED = "b'\\u00e9' == request.headers['x']";
const strict = object("PeerAuthentication", "default", "{mtls: {mode: STRICT}}", "istio-system");
const missingFile = object(
  "DestinationRule",
  "outside",
  "{host: outside.example, trafficPolicy: {tls: {mode: SIMPLE, caCertificates: /nowhere/ca.pem}}}",
);
const encrypted = (file: string) =>
  object("DestinationRule", "vault", `{host: vault, trafficPolicy: {tls: {mode: SIMPLE, caCertificates: ${file}}}}`);
const outside = object(
  "ServiceEntry",
  "outside",
  "{hosts: [outside.example], ports: [{number: 443, name: http, protocol: HTTP}], resolution: DNS}",
);

beforeAll(async () => {
  mesh = await startMesh({
    files: {
      "workloads.yaml": documents(
        service("web"),
        service("client"),
        service("vault"),
        echoDeployment({ name: "web-v1", app: "web" }),
        echoDeployment({ name: "client", app: "client" }),
        echoDeployment({ name: "vault-v1", app: "vault" }),
      ),
      "logs.yaml": logs(REFUSED),
      "outside.yaml": documents(outside, missingFile),
      "vault.yaml": encrypted(late),
    },
  });
});
afterAll(() => mesh?.stop());

interface Fault {
  readonly severity: string;
  readonly object: string;
  readonly message: string;
  readonly servingLastGood: boolean;
}

async function violations(): Promise<readonly Fault[]> {
  const all = JSON.parse((await request(`${mesh.admin}/debug/violations`)).body) as readonly Fault[];
  return all.filter(({ severity }) => severity === "error");
}

async function faults(): Promise<readonly string[]> {
  return (await violations()).map((each) => `${each.object}: ${each.message}`);
}

function keptObjects(): string {
  return readFileSync(join(mesh.stateDirectory, "accepted.json"), "utf8");
}

async function told(...parts: readonly string[]): Promise<void> {
  await eventually(`a word of ${parts.join(", ")}`, async () => {
    const all = await faults();
    return all.length === parts.length && parts.every((part) => all.some((fault) => fault.includes(part)))
      ? true
      : undefined;
  });
}

async function plaintext(): Promise<number | undefined> {
  const [port] = (await mesh.proxy("web-v1")).ports;
  return (await request(`http://${port!.address}/`).catch(() => undefined))?.status;
}

describe("an object that Envoy refuses", () => {
  it("at a start is named, with Envoy's reason, and the mesh is up", async () => {
    await told(
      "Telemetry/istio-system/logs: Envoy refuses what it says: Not able to parse filter expression",
      "DestinationRule/default/outside: Envoy refuses what it says: Invalid path: /nowhere/ca.pem",
      `DestinationRule/default/vault: Envoy refuses what it says: Invalid path: ${late}`,
    );
    expect(mesh.output()).toContain("logs.yaml:1:1: error: Telemetry/istio-system/logs: Envoy refuses");
    expect((await mesh.from("client", "http://web/")).status).toBe(200);
  });

  it("that encrypts has its traffic refused, and is told of by /synced and the terminal", async () => {
    expect((await mesh.from("client", "http://vault/")).status).toBe(503);
    const { status, body } = await request(`${mesh.admin}/synced`);
    const { unenforced } = JSON.parse(body) as SyncReport;
    expect(status).toBe(503);
    expect(unenforced.map(({ object, protection }) => [object, protection]).sort()).toEqual([
      ["DestinationRule/default/outside", "traffic refused"],
      ["DestinationRule/default/vault", "traffic refused"],
    ]);
    expect(mesh.output()).toMatch(/DestinationRule\/default\/vault: Envoy refuses .* -- SECURITY: .* NOT REACHED/);
  });

  it("for a file that is not there is tried again when it is", async () => {
    // Nobody edits a document.
    const early = mesh.output().length;
    writeFileSync(late, selfSigned(["vault"]).certificate);
    await eventually("the file to be seen", async () =>
      /vault.yaml: DestinationRule\/default\/vault: nothing is wrong any more/.test(mesh.output().slice(early))
        ? true
        : undefined,
    );
    expect((await violations()).map(({ object }) => object)).not.toContain("DestinationRule/default/vault");
    mesh.remove("vault.yaml");
    await eventually("the mended host", async () =>
      (await mesh.from("client", "http://vault/")).status === 200 ? true : undefined,
    );
  });

  it("is well again when it is mended", async () => {
    await mesh.apply("logs.yaml", logs("response.code >= 400"));
    await mesh.apply("outside.yaml", outside);
    await told();
  });

  it("at an edit keeps its last good version, and holds up neither a route nor STRICT", async () => {
    expect(await plaintext()).toBe(200);
    mesh.write("logs.yaml", logs(REFUSED));
    await mesh.apply("traffic.yaml", documents(routeWithHeader("web", "x-new", "yes"), strict));
    await told("Telemetry/istio-system/logs: Envoy refuses");
    // Envoy's workers take a listener up a moment after it is acknowledged.
    await eventually("STRICT", async () => ((await plaintext()) === undefined ? true : undefined));
    expect((await mesh.from("client", "http://web/")).headers["x-new"]).toBe("yes");
  });

  it("is at its last good version still when the control plane comes back", async () => {
    await eventually("what is in force to be kept", async () =>
      keptObjects().includes(REFUSED.slice(0, 8)) ? undefined : true,
    );
    expect(keptObjects()).toContain("response.code >= 400");
    await mesh.killControlPlane();
    await eventually("a word of the refused object at its last good version", async () => {
      const [fault] = await violations().catch(() => []);
      return fault?.object === "Telemetry/istio-system/logs" && fault.servingLastGood ? true : undefined;
    });
    await eventually("it to be kept again", async () =>
      keptObjects().includes("response.code >= 400") ? true : undefined,
    );
  });

  it("is the mesh's settings, too", async () => {
    mesh.write("settings.yaml", meshConfig("accessLogFile: /nowhere/access.log"));
    await told(
      "Telemetry/istio-system/logs",
      "ConfigMap/istio-system/istio: Envoy refuses what it says: unable to open",
    );
    await mesh.apply("logs.yaml", logs("true"));
    mesh.remove("settings.yaml");
    await told();
  });
});
