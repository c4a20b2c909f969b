// Pods for a mesh that is not running: what `scrim translate` needs to know of workloads that nobody started.
import { podCountOf, templatedWorkloads } from "../pods/templated-workloads.ts";
import { planRouters } from "../pods/gateway-plan.ts";
import { allKinds } from "../model/kinds.ts";
import type { MeshObject } from "../model/object.ts";
import { fileOrigin, type Origin } from "../model/origin.ts";
import { decodeAnnotations } from "../pods/annotations.ts";
import { capturedListens, type ListenPort, OUTBOUND_PORT, sidecarListens } from "../pods/listen-port.ts";
import { podDocument, type PodDraft } from "../pods/pod-document.ts";
import { podFactsOf, serviceAccountOf } from "../pods/pod-facts.ts";
import { byNumber, declaredPorts, type ServedPort, servedPorts } from "../pods/served-ports.ts";
import { wantsSidecar } from "../pods/sidecar.ts";
import { createWorld, type World } from "../world/world.ts";

/** As `scrim up` opens them without being root. */
const PRIVILEGED_OFFSET = 8_000;

/** A pod to make up: it is ready, and where it listens follows from its address. */
interface OfflinePod extends Omit<PodDraft, "ip" | "ready" | "listens" | "outbound"> {
  readonly origin: Origin;
}

/**
 * Returns the world with pods for every Deployment (and Gateway selector) that has none. Equal worlds get equal
 * addresses.
 */
export function withOfflinePods(world: World): World {
  const known = new Set(world.list("Pod").map((pod) => `${pod.metadata.namespace}/${podFactsOf(pod).workload}`));
  const drafts = [...deploymentDrafts(world), ...routerDrafts(world)].filter(
    (draft) => !known.has(`${draft.namespace}/${draft.workload}`),
  );
  const made = drafts
    .sort((a, b) => (draftKey(a) < draftKey(b) ? -1 : 1))
    .map((draft, index) => podFrom(draft, addressAt(index)));
  return createWorld(
    [...allKinds.flatMap((kind): readonly MeshObject[] => world.list(kind)), ...made],
    world.mesh,
    world.revision,
  );
}

/**
 * Returns a pod for a workload that nobody declares: a sidecar with the label `app` and the ports of the Services that
 * would select it.
 */
export function undeclaredPod(world: World, namespace: string, name: string): MeshObject<"Pod"> {
  const labels = { app: name };
  const draft: OfflinePod = {
    name: `${name}-0`,
    workload: name,
    namespace,
    labels,
    serviceAccount: "default",
    proxy: "sidecar",
    containerPorts: [...servedPorts(world, namespace, labels)].sort(byNumber),
    origin: fileOrigin("(undeclared)"),
  };
  return podFrom(draft, "10.245.0.1");
}

function deploymentDrafts(world: World): readonly OfflinePod[] {
  return templatedWorkloads(world).flatMap((workload) => {
    const {
      metadata: { name, namespace },
      spec,
      origin,
    } = workload;
    const { labels = {}, annotations = {} } = spec.template.metadata ?? {};
    const declared = declaredPorts(spec.template.spec?.containers);
    const draft: Omit<OfflinePod, "name"> = {
      workload: name,
      namespace,
      labels,
      annotations,
      serviceAccount: serviceAccountOf(spec.template.spec),
      proxy: wantsSidecar({ labels, annotations }) ? "sidecar" : "none",
      containerPorts: [...servedPorts(world, namespace, labels, declared)].sort(byNumber),
      origin,
    };
    return Array.from({ length: podCountOf(workload) }, (_, index) => ({ ...draft, name: `${name}-${index}` }));
  });
}

function routerDrafts(world: World): readonly OfflinePod[] {
  return planRouters(world).map(
    ({ name, namespace, labels, serviceAccount, ports }): OfflinePod => ({
      name: `${name}-0`,
      workload: name,
      namespace,
      labels,
      serviceAccount,
      proxy: "router",
      containerPorts: ports,
      origin: fileOrigin("(gateway)"),
    }),
  );
}

function podFrom({ origin, ...draft }: OfflinePod, ip: string): MeshObject<"Pod"> {
  const { metadata, spec, status } = podDocument({ ...draft, ...listening(draft, ip), ip, ready: true });
  return { kind: "Pod", apiVersion: "v1", metadata, spec: { ...spec, status }, origin };
}

function listening(
  { proxy, containerPorts, annotations = {} }: Pick<OfflinePod, "proxy" | "containerPorts" | "annotations">,
  ip: string,
): Pick<PodDraft, "listens" | "outbound"> {
  if (proxy === "none") return {};
  if (proxy === "router") return { listens: containerPorts.map(routerListen) };
  if (decodeAnnotations(annotations).capture !== undefined) return { listens: capturedListens(ip, containerPorts) };
  return { listens: sidecarListens(ip, containerPorts), outbound: { address: ip, port: OUTBOUND_PORT } };
}

function routerListen({ port, name }: ServedPort): ListenPort {
  return { port, name, bind: { address: "0.0.0.0", port: port < 1_024 ? port + PRIVILEGED_OFFSET : port } };
}

function addressAt(index: number): string {
  return `10.244.${Math.floor(index / 254) % 256}.${(index % 254) + 1}`;
}

function draftKey(draft: OfflinePod): string {
  return `${draft.namespace}/${draft.name}`;
}
