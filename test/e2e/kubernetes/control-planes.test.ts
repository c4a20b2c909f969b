// Two control planes of one cluster, on a real API server: one CA, one leader, and proxies that are their pods and
// nothing else.
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DeltaDiscoveryResponse } from "../../../protos/build/envoy.ts";
import { decode, unpackAny } from "../../../protos/codec.ts";
import { endChild, removeScratchDirectory, scratchDirectory, startChild } from "../../support/children.ts";
import { type ApiServer, noApiServer, startApiServer } from "../../support/api-server.ts";
import { connectDelta, type DeltaStream } from "../../support/delta-stream.ts";
import { request, scrim } from "../../support/mesh.ts";
import { type ControlPlanePorts, freePorts } from "../../support/serve-settings.ts";
import { eventually, until } from "../../support/until.ts";

const SDS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
const ROOT = "istio-ca-root-cert";

let server: ApiServer;
let directory: string;
const replicas: Awaited<ReturnType<typeof startReplica>>[] = [];

async function kubectl(args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await server.kubectl(args, input);
  if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
  return stdout.trim();
}

async function startReplica(name: string) {
  const ports = await freePorts();
  let output = "";
  const child = startChild(
    process.execPath,
    [
      ...[scrim, "serve", "--kubernetes", "--kubeconfig", server.kubeconfig, "--state-dir", join(directory, name)],
      ...["--xds-address", `127.0.0.1:${ports.xds}`, "--admin-address", `127.0.0.1:${ports.admin}`],
    ],
    { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, SCRIM_LOG_LEVEL: "info" } },
  );
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => (output += chunk.toString()));
  return {
    ports,
    output: () => output,
    leads: () => output.includes("this control plane leads"),
    stop: async (signal: "SIGTERM" | "SIGKILL" = "SIGTERM") => {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill(signal);
      await gone;
    },
    end: () => endChild(child),
  };
}

const ready = async ({ ports }: { readonly ports: ControlPlanePorts }) =>
  (await request(`http://127.0.0.1:${ports.admin}/ready`).catch(() => ({ status: 0 }))).status === 200;

/** A pod as injection leaves it, with an address. */
async function createPod(name: string, ip: string): Promise<void> {
  const annotations = { "scrim.mesh/proxy": "sidecar", "scrim.mesh/capture": "REDIRECT" };
  const spec = { serviceAccountName: "web", containers: [{ name: "web", image: "web" }] };
  const metadata = { name, namespace: "default", labels: { app: "web" }, annotations };
  await kubectl(["create", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "Pod", metadata, spec }));
  const status = { phase: "Running", podIP: ip, podIPs: [{ ip }], conditions: [{ type: "Ready", status: "True" }] };
  await kubectl(["patch", "pod", name, "--subresource=status", "--type=merge", "-p", JSON.stringify({ status })]);
}

const tokenOf = (pod: string) =>
  kubectl(["create", "token", "web", "--audience=istio-ca", "--bound-object-kind=Pod", `--bound-object-name=${pod}`]);

const rootsIn = async (namespace: string) => {
  const found = await server.kubectl(["get", "cm", ROOT, "-n", namespace, "-o", "jsonpath={.data.root-cert\\.pem}"]);
  return found.code === 0 && found.stdout !== "" ? found.stdout : undefined;
};

/** A sidecar that asks for its certificate; `node` is who it says it is. */
function sidecar(ports: ControlPlanePorts, rootPem: string, token: string, node: string, ip: string) {
  const connection = connectDelta({ port: ports.xds, tls: { rootPem, serverName: "istiod.istio-system.svc" } });
  const certificates: X509Certificate[] = [];
  let ended: string | undefined;
  const stream: DeltaStream = connection.open({
    token,
    received(response) {
      const { resources = [] } = decode("DeltaDiscoveryResponse", response.message()) as DeltaDiscoveryResponse;
      for (const { resource } of resources) {
        const unpacked = resource && unpackAny(resource);
        if (unpacked?.name !== "Secret") continue;
        const { inlineString } = unpacked.message.tlsCertificate?.certificateChain ?? {};
        if (inlineString !== undefined) certificates.push(new X509Certificate(inlineString));
      }
      stream.send({ typeUrl: response.typeUrl, responseNonce: response.nonce });
    },
    ended: (why) => (ended = decodeURIComponent(why)),
  });
  stream.send({
    node: { id: `sidecar~${ip}~${node}.default~default.svc.cluster.local` },
    typeUrl: SDS,
    resourceNamesSubscribe: ["default", "ROOTCA"],
  });
  return { certificates, ended: () => ended, close: () => connection.close() };
}

const virtualService = (name: string, { weight, ...destination }: { host: string; subset?: string; weight?: number }) =>
  JSON.stringify({
    ...{ apiVersion: "networking.istio.io/v1", kind: "VirtualService", metadata: { name, namespace: "default" } },
    spec: { hosts: [destination.host], http: [{ route: [{ destination, ...(weight && { weight }) }] }] },
  });

describe.skipIf(noApiServer)(`control planes of a cluster${noApiServer ? ` (${noApiServer})` : ""}`, () => {
  beforeAll(async () => {
    server = await startApiServer();
    directory = scratchDirectory();
    await kubectl(["apply", "--server-side", "-f", "deploy/crds"]);
    await kubectl(["create", "namespace", "istio-system"]);
    await kubectl(["create", "serviceaccount", "web"]);
    replicas.push(...(await Promise.all(["a", "b"].map(startReplica))));
    for (const replica of replicas) await until(() => ready(replica), "a control plane", replica.output);
  });
  afterAll(async () => {
    for (const { end } of replicas) await end();
    await server.stop();
    removeScratchDirectory(directory);
  });

  it("hand out one root, and to a pod at either of them a certificate for its account", async () => {
    const rootPem = await eventually("roots", () => rootsIn("default"));
    await createPod("web-1", "10.244.1.1");
    const token = await tokenOf("web-1");
    for (const { ports, output } of replicas) {
      const web = sidecar(ports, rootPem, token, "web-1", "10.244.1.1");
      await until(
        () => web.certificates.length > 0,
        "a certificate",
        () => `${web.ended()}\n${output()}`,
      );
      const [certificate] = web.certificates;
      expect(certificate?.subjectAltName).toBe("URI:spiffe://cluster.local/ns/default/sa/web");
      expect(certificate?.verify(new X509Certificate(rootPem).publicKey)).toBe(true);
      const other = sidecar(ports, rootPem, token, "web-2", "10.244.1.1");
      await until(() => other.ended() !== undefined, "the refusal of another pod's name");
      expect(other.ended()).toContain("does not belong to the node");
      web.close();
      other.close();
    }
  });

  it("end the stream of a pod that is gone", async () => {
    const rootPem = await eventually("roots", () => rootsIn("default"));
    await createPod("web-3", "10.244.1.3");
    const [{ ports }] = replicas as [(typeof replicas)[number]];
    const web = sidecar(ports, rootPem, await tokenOf("web-3"), "web-3", "10.244.1.3");
    await until(() => web.certificates.length > 0, "a certificate");
    await kubectl(["delete", "pod", "web-3", "--force", "--grace-period=0"]);
    await until(() => web.ended() !== undefined, "the stream's end");
    expect(web.ended()).toContain("there no more");
    web.close();
  });

  it("say in each object's status who has it", async () => {
    const conditionOf = async (name: string, type: string) =>
      (
        await kubectl([
          ...["get", "virtualservice", name, "-o"],
          `jsonpath={.status.conditions[?(@.type=="${type}")]['status','message']}`,
        ])
      ).trim();
    await kubectl(["apply", "--server-side", "-f", "-"], virtualService("good", { host: "reviews", weight: 1 }));
    await until(async () => (await conditionOf("good", "Accepted")).startsWith("True"), "a status");
    expect(await conditionOf("good", "Distributed")).toBe("False 0 of 1 proxy; web-1.default is not connected");
    expect(await kubectl(["get", "vs", "good"])).toMatch(/ACCEPTED +DISTRIBUTED/);
  });

  it("have one leader, and another as soon as it stops", async () => {
    await until(() => replicas.some(({ leads }) => leads()), "a leader");
    expect(replicas.filter(({ leads }) => leads())).toHaveLength(1);
    await kubectl(["create", "namespace", "later"]);
    await eventually("roots in a new namespace", () => rootsIn("later"));
    const leader = replicas.find(({ leads }) => leads());
    await leader?.stop();
    await kubectl(["create", "namespace", "still-later"]);
    await eventually("roots by the next leader", () => rootsIn("still-later"));
    expect(await rootsIn("still-later")).toBe(await rootsIn("later"));
  });
});
