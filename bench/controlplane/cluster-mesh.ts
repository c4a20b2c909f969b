// The same mesh in a real API server: its objects, pods that were given addresses, and their tokens.
import { openAccess } from "../../controlplane/kubernetes/access.ts";
import type { ApiClient } from "../../controlplane/kubernetes/api-client.ts";
import { createApiClient } from "../../controlplane/kubernetes/http-api-client.ts";
import { resourcePath } from "../../controlplane/kubernetes/resource-path.ts";
import { applyObject } from "../../controlplane/kubernetes/server-side-apply.ts";
import { describeAnswer, isDone } from "../../controlplane/kubernetes/status.ts";
import { isFailed } from "../../controlplane/model/failure.ts";
import { pluralOf } from "../../controlplane/model/kinds.ts";
import { createSystemClock } from "../../controlplane/telemetry/clock.ts";
import { type ApiServer, noApiServer, startApiServer } from "../../test/support/api-server.ts";
import { root } from "../places.ts";
import { type BenchMesh, host, meshDocuments, type MeshDocument } from "./mesh.ts";
import type { ProxyClient } from "./messages.ts";

export interface ClusterMesh extends BenchMesh {
  readonly client: ApiClient;
  readonly kubeconfig: string;
  /** Ends the API server. */
  close(): Promise<void>;
}

/** Calls that are on their way at the same time. */
const AT_ONCE = 24;
const SYSTEM = "istio-system";

/** Starts an API server and makes the mesh in it. */
export async function createClusterMesh(services: number, proxies: number): Promise<ClusterMesh> {
  if (noApiServer) throw new Error(noApiServer);
  const server = await startApiServer();
  const client = await connect(server);
  await define(server);
  const mesh = meshDocuments(services, proxies);
  const accounts = [...new Set(mesh.proxies.map(({ serviceAccount }) => serviceAccount))];
  await put(client, { apiVersion: "v1", kind: "Namespace", metadata: { name: SYSTEM } });
  await each(accounts, (name) => put(client, of("v1", "ServiceAccount", name)));
  await each(mesh.documents, (document) => put(client, document));
  const tokens = new Map<string, string>();
  await each(mesh.pods, async (pod) => {
    tokens.set(pod.metadata.name, await run(client, pod));
  });
  // The bench's clock runs while the change is on its way to the API server, as for anybody who changes something.
  const change = (document: MeshDocument): void => void put(client, document);
  return {
    client,
    kubeconfig: server.kubeconfig,
    proxies: mesh.proxies.map((proxy): ProxyClient => ({ ...proxy, token: tokens.get(proxy.name) ?? "" })),
    changeVirtualService(service, weight) {
      for (const document of mesh.service(service, weight)) if (document.kind === "VirtualService") change(document);
      return `80/${host(service)}:80`;
    },
    changeEndpoint(service, last) {
      change(mesh.slice(service, last));
      return `outbound|80||${host(service)}`;
    },
    changeMeshConfig: (seconds) => change(mesh.config(seconds)),
    async close() {
      client.close();
      await server.stop();
    },
  };
}

async function connect({ kubeconfig }: ApiServer): Promise<ApiClient> {
  const access = await openAccess({ kind: "kubeconfig", paths: [kubeconfig], context: undefined });
  if (isFailed(access)) throw new Error(access.message);
  return createApiClient({ access, clock: createSystemClock() });
}

async function define({ kubectl }: ApiServer): Promise<void> {
  for (const args of [
    ["apply", "--server-side", "-f", `${root}/deploy/crds`],
    ["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"],
  ]) {
    const { code, stderr } = await kubectl(args);
    if (code !== 0) throw new Error(stderr);
  }
}

const of = (apiVersion: string, kind: string, name: string): MeshDocument => ({
  ...{ apiVersion, kind, metadata: { name, namespace: "default" } },
});

function pathOf({ apiVersion, kind, metadata: { name, namespace } }: MeshDocument): string {
  const [version = "", group = ""] = apiVersion.split("/").reverse();
  return resourcePath({ group, version, plural: pluralOf(kind), name, ...(namespace && { namespace }) });
}

async function put(client: ApiClient, document: MeshDocument): Promise<void> {
  const answer = await applyObject(client, pathOf(document), document);
  if (isFailed(answer)) throw new Error(answer.message);
  if (!isDone(answer)) throw new Error(`${document.kind} ${document.metadata.name}: ${describeAnswer(answer)}`);
}

/** Makes a pod that runs, though no node does, and returns its token. */
async function run(client: ApiClient, { status, ...pod }: MeshDocument): Promise<string> {
  const path = pathOf(pod);
  const spec = pod["spec"] as { readonly serviceAccountName: string; readonly containers: readonly object[] };
  const containers = spec.containers.map((container) => ({ ...container, image: "none" }));
  const made = await call(client, "POST", path.slice(0, path.lastIndexOf("/")), {
    ...pod,
    spec: { ...spec, nodeName: "node-1", containers },
  });
  await call(client, "PUT", `${path}/status`, { ...made, status });
  const { uid } = made["metadata"] as { readonly uid: string };
  const account = resourcePath({
    ...{ group: "", version: "v1", plural: "serviceaccounts", namespace: "default" },
    ...{ name: spec.serviceAccountName, subresource: "token" },
  });
  const boundObjectRef = { kind: "Pod", apiVersion: "v1", name: pod.metadata.name, uid };
  const answer = await call(client, "POST", account, {
    ...{ apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest" },
    spec: { audiences: ["istio-ca"], expirationSeconds: 3_600, boundObjectRef },
  });
  return (answer["status"] as { readonly token: string }).token;
}

async function call(client: ApiClient, method: "POST" | "PUT", path: string, body: object) {
  const answer = await client.request({ method, path, body });
  if (isFailed(answer)) throw new Error(answer.message);
  if (!isDone(answer)) throw new Error(`${path}: ${describeAnswer(answer)}`);
  return answer.body as Readonly<Record<string, unknown>>;
}

async function each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items];
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let item = rest.shift(); item !== undefined; item = rest.shift()) await work(item);
    }),
  );
}
