// Who is in the mesh, as selectors see it: pods, what Deployments would make, and the gateways that Gateways ask for.
import { templatedWorkloads, workloadNamed, workloadsWith } from "../pods/templated-workloads.ts";
import { isDeepStrictEqual } from "node:util";
import { type Labels, labelsMatch } from "../model/labels.ts";
import { planRouters } from "../pods/gateway-plan.ts";
import { podFactsOf } from "../pods/pod-facts.ts";
import { declaredPorts, servedPorts } from "../pods/served-ports.ts";
import { podsWith } from "../translate/resolve/pod-endpoints.ts";
import { entriesWith } from "../translate/resolve/workload-endpoints.ts";
import { derived, sameItems } from "../world/derive.ts";
import { objectsByNamespace } from "../world/label-index.ts";
import type { World } from "../world/world.ts";

/** The gateway proxies that Gateways ask for, as far as selectors look at them. */
const plannedGateways = derived(
  (world: World) =>
    planRouters(world).map(({ namespace, labels, ports }) => ({
      namespace,
      labels,
      ports: ports.map(({ port }) => port),
    })),
  { same: isDeepStrictEqual },
);

/** Returns whether the mesh is told of any workload: else nobody knows what selectors select. */
export const knowsWorkloads = derived(
  (world: World): boolean => world.list("Pod").length > 0 || templatedWorkloads(world).length > 0,
);

/** Returns the namespaces that have workloads. */
export const namespacesOfWorkloads = derived(
  (world: World): readonly string[] => [
    ...new Set([
      ...objectsByNamespace(world, "Pod").keys(),
      ...templatedWorkloads(world).map(({ metadata }) => metadata.namespace),
      ...plannedGateways(world).map(({ namespace }) => namespace),
    ]),
  ],
  { same: sameItems },
);

/** Returns whether a selector (not an empty one) selects anybody in a namespace. */
export function isWorkload(world: World, namespace: string, selector: Labels): boolean {
  return (
    podsWith(world, namespace, selector).length > 0 ||
    workloadsWith(world, namespace, selector).length > 0 ||
    entriesWith(world, namespace, selector).length > 0 ||
    gatewaysIn(world, namespace, selector).length > 0
  );
}

/** Returns whether a selector (not an empty one) selects anybody. */
export function isWorkloadAnywhere(world: World, selector: Labels): boolean {
  return namespacesOfWorkloads(world).some((namespace) => isWorkload(world, namespace, selector));
}

/** Returns the namespaces of the proxies that serve a Gateway with this selector. */
export function gatewayNamespaces(world: World, selector: Labels): readonly string[] {
  if (Object.keys(selector).length === 0) return plannedGateways(world).map(({ namespace }) => namespace);
  return namespacesOfWorkloads(world).filter((namespace) => isWorkload(world, namespace, selector));
}

/**
 * Returns the ports that the workloads serve which a selector (not an empty one) selects in a namespace; undefined if
 * of one of them nothing is known.
 */
export function portsOfWorkloads(world: World, namespace: string, selector: Labels): ReadonlySet<number> | undefined {
  const each = [
    ...podsWith(world, namespace, selector).map((pod) => {
      const { labels, containerPorts, listens } = podFactsOf(pod);
      return [...servedPorts(world, namespace, labels, containerPorts), ...listens].map(({ port }) => port);
    }),
    ...workloadsWith(world, namespace, selector).map(({ spec: { template } }) =>
      servedPorts(world, namespace, template.metadata?.labels ?? {}, declaredPorts(template.spec?.containers)).map(
        ({ port }) => port,
      ),
    ),
    ...gatewaysIn(world, namespace, selector).map(({ ports }) => ports),
  ];
  return each.some((ports) => ports.length === 0) ? undefined : new Set(each.flat());
}

/**
 * Returns the names of the ports of the workloads that a selector (not an empty one) selects in a namespace; undefined
 * if a gateway is among them, which is reached by the numbers of its Gateways' ports.
 */
export function portNamesOfWorkloads(
  world: World,
  namespace: string,
  selector: Labels,
): ReadonlySet<string> | undefined {
  if (gatewaysIn(world, namespace, selector).length > 0) return undefined;
  const pods = podsWith(world, namespace, selector).map(podFactsOf);
  if (pods.some(({ proxy }) => proxy === "router")) return undefined;
  return new Set([
    ...pods.flatMap(({ containerPorts }) => containerPorts.map(({ name }) => name)),
    ...workloadsWith(world, namespace, selector).flatMap(({ spec: { template } }) =>
      declaredPorts(template.spec?.containers).map(({ name }) => name),
    ),
    ...entriesWith(world, namespace, selector).flatMap(({ spec }) => Object.keys(spec.ports ?? {})),
  ]);
}

function gatewaysIn(world: World, namespace: string, selector: Labels) {
  return plannedGateways(world).filter(
    (gateway) => gateway.namespace === namespace && labelsMatch(selector, gateway.labels),
  );
}

/** Returns whether a workload of a namespace goes by this name: a Deployment's, a pod's own, or its label `app`. */
export function isWorkloadNamed(world: World, namespace: string, name: string): boolean {
  return (
    workloadNamed(world, namespace, name) !== undefined ||
    world.get("Pod", namespace, name) !== undefined ||
    isWorkload(world, namespace, { app: name })
  );
}
