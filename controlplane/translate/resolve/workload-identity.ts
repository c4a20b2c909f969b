// Whose identities a workload's name stands for.
import { templatedWorkloads } from "../../pods/templated-workloads.ts";
import { labelsMatch, type Labels, selectsAll } from "../../model/labels.ts";
import { identityOf, principalOf } from "../../model/spiffe.ts";
import type { World } from "../../world/world.ts";
import { podFactsOf, serviceAccountOf } from "../../pods/pod-facts.ts";

/** What a name can be checked against: one Deployment or Pod. */
interface NamedWorkload {
  readonly names: readonly (string | undefined)[];
  readonly labels: Labels;
  readonly serviceAccount: string;
}

/**
 * Returns the principals (without `spiffe://`, sorted) of the workloads that `name` means: the Deployment or Pod so
 * named, those whose `app` label it is, those behind the Service of that name, and the ServiceAccount of that name.
 * `name` is of `namespace` unless it says its own (`name.namespace`).
 */
export function principalsOfWorkload(world: World, name: string, namespace: string): readonly string[] {
  const dot = name.indexOf(".");
  const short = dot < 0 ? name : name.slice(0, dot);
  const home = dot < 0 ? namespace : (name.slice(dot + 1).split(".")[0] ?? namespace);
  const service = world.get("Service", home, short)?.spec.selector;
  const accounts = workloadsOf(world, home)
    .filter(
      (workload) => workload.names.includes(short) || (!selectsAll(service) && labelsMatch(service, workload.labels)),
    )
    .map((workload) => workload.serviceAccount);
  if (world.get("ServiceAccount", home, short) !== undefined) accounts.push(short);
  return [...new Set(accounts)].sort().flatMap((account) => {
    const identity = identityOf(world.mesh.trustDomain, home, account);
    return identity === undefined ? [] : [principalOf(identity)];
  });
}

function workloadsOf(world: World, namespace: string): readonly NamedWorkload[] {
  const deployments = templatedWorkloads(world)
    .filter((deployment) => deployment.metadata.namespace === namespace)
    .map((deployment): NamedWorkload => {
      const { metadata, spec } = deployment.spec.template;
      const labels = metadata?.labels ?? {};
      return {
        names: [deployment.metadata.name, labels["app"]],
        labels,
        serviceAccount: serviceAccountOf(spec),
      };
    });
  const pods = world
    .list("Pod")
    .filter((pod) => pod.metadata.namespace === namespace)
    .map((pod): NamedWorkload => {
      const { workload, labels, serviceAccount } = podFactsOf(pod);
      return { names: [pod.metadata.name, workload, labels["app"]], labels, serviceAccount };
    });
  return [...deployments, ...pods];
}
