// Pods for a mesh that is not running: what `scrim translate` needs to know of workloads that nobody started.
import { isIP } from "node:net";
import { planRouters } from "../local/router-plan.ts";
import { allKinds } from "../model/kinds.ts";
import { labelsMatch, type Labels, selectsAll } from "../model/labels.ts";
import type { MeshObject } from "../model/object.ts";
import { fileOrigin, type Origin } from "../model/origin.ts";
import { createWorld, type World } from "../world/world.ts";
import type { ListenPort } from "../translate/ir/proxy-class.ts";
import {
  LISTEN_ANNOTATION,
  OUTBOUND_ANNOTATION,
  PROXY_ANNOTATION,
  WORKLOAD_ANNOTATION,
  workloadOf,
} from "../translate/resolve/workload.ts";

const OUTBOUND_PORT = 15_001;
/** As `scrim up` opens them without being root. */
const PRIVILEGED_OFFSET = 8_000;

/** A pod to make up. */
interface PodDraft {
  readonly name: string;
  readonly workload: string;
  readonly namespace: string;
  readonly labels: Labels;
  readonly annotations?: Labels;
  readonly serviceAccount: string;
  readonly proxy: "sidecar" | "router" | "none";
  readonly ports: readonly { readonly name: string; readonly port: number }[];
  readonly origin: Origin;
}

/**
 * Returns the world with pods for every Deployment (and Gateway selector) that has none. Equal worlds get equal
 * addresses.
 */
export function withOfflinePods(world: World): World {
  const known = new Set(world.list("Pod").map((pod) => `${pod.metadata.namespace}/${workloadOf(pod).ref.name}`));
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
  const draft: PodDraft = {
    name: `${name}-0`,
    workload: name,
    namespace,
    labels,
    serviceAccount: "default",
    proxy: "sidecar",
    ports: servedPorts(world, namespace, labels, []),
    origin: fileOrigin("(undeclared)"),
  };
  return podFrom(draft, "10.245.0.1");
}

function deploymentDrafts(world: World): readonly PodDraft[] {
  return world.list("Deployment").flatMap((deployment) => {
    const { metadata, spec, origin } = deployment;
    const labels = spec.template.metadata?.labels ?? {};
    const declared = (spec.template.spec?.containers ?? [])
      .flatMap((container) => container.ports ?? [])
      .map((port) => ({ name: port.name ?? "", port: port.containerPort }));
    const refused = [labels, spec.template.metadata?.annotations ?? {}].some(
      (marks) => marks["sidecar.istio.io/inject"] === "false",
    );
    return Array.from(
      { length: spec.replicas ?? 1 },
      (_, index): PodDraft => ({
        name: `${metadata.name}-${index}`,
        workload: metadata.name,
        namespace: metadata.namespace,
        labels,
        annotations: spec.template.metadata?.annotations ?? {},
        serviceAccount: spec.template.spec?.serviceAccountName || spec.template.spec?.serviceAccount || "default",
        proxy: refused ? "none" : "sidecar",
        ports: servedPorts(world, metadata.namespace, labels, declared),
        origin,
      }),
    );
  });
}

function routerDrafts(world: World): readonly PodDraft[] {
  return planRouters(world).map(
    (router): PodDraft => ({
      name: `${router.name}-0`,
      workload: router.name,
      namespace: router.namespace,
      labels: router.labels,
      serviceAccount: router.serviceAccount,
      proxy: "router",
      ports: router.ports.map(({ name, port }) => ({ name, port })),
      origin: fileOrigin("(gateway)"),
    }),
  );
}

/** The declared ports, and those that Services expect to find by number. */
function servedPorts(world: World, namespace: string, labels: Labels, declared: PodDraft["ports"]): PodDraft["ports"] {
  const ports = new Map(declared.map((port) => [port.port, port]));
  for (const { metadata, spec } of world.list("Service")) {
    if (metadata.namespace !== namespace || selectsAll(spec.selector) || !labelsMatch(spec.selector, labels)) continue;
    for (const port of spec.ports ?? []) {
      const target = port.targetPort ?? port.port;
      if (typeof target === "number" && !ports.has(target)) ports.set(target, { name: port.name ?? "", port: target });
    }
  }
  return [...ports.values()].sort((a, b) => a.port - b.port);
}

function podFrom(draft: PodDraft, ip: string): MeshObject<"Pod"> {
  const listens = draft.ports.map((port) => listenOf(draft, ip, port));
  return {
    kind: "Pod",
    apiVersion: "v1",
    metadata: {
      name: draft.name,
      namespace: draft.namespace,
      labels: draft.labels,
      annotations: {
        ...draft.annotations,
        [WORKLOAD_ANNOTATION]: draft.workload,
        ...(draft.proxy !== "none" && {
          [PROXY_ANNOTATION]: draft.proxy,
          [LISTEN_ANNOTATION]: JSON.stringify(listens.map(listenText)),
        }),
        ...(draft.proxy === "sidecar" && { [OUTBOUND_ANNOTATION]: `${ip}:${OUTBOUND_PORT}` }),
      },
    },
    spec: {
      serviceAccountName: draft.serviceAccount,
      containers: [
        {
          name: draft.workload,
          ports: draft.ports.map(({ name, port }) => ({ ...(name !== "" && { name }), containerPort: port })),
        },
      ],
      status: { podIP: ip, phase: "Running", conditions: [{ type: "Ready", status: "True" }] },
    },
    origin: draft.origin,
  };
}

function listenOf(
  draft: PodDraft,
  ip: string,
  { name, port }: { readonly name: string; readonly port: number },
): ListenPort {
  if (draft.proxy === "router")
    return { port, name, bind: { address: "0.0.0.0", port: port < 1_024 ? port + PRIVILEGED_OFFSET : port } };
  return { port, name, bind: { address: ip, port }, application: { address: "127.0.0.1", port } };
}

function listenText({ port, name, bind, application }: ListenPort): object {
  const text = (at: { readonly address: string; readonly port: number }) =>
    isIP(at.address) === 6 ? `[${at.address}]:${at.port}` : `${at.address}:${at.port}`;
  return { port, name, address: text(bind), ...(application && { app: text(application) }) };
}

function addressAt(index: number): string {
  return `10.244.${Math.floor(index / 254) % 256}.${(index % 254) + 1}`;
}

function draftKey(draft: PodDraft): string {
  return `${draft.namespace}/${draft.name}`;
}
