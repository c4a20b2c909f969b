// VirtualServices that delegate to what cannot be had, and those that nobody delegates to.
import type { FieldPath } from "../model/document.ts";
import type { HttpRouteSpec } from "../model/kinds/virtual-service.ts";
import { mergeMatches } from "../translate/resolve/delegated-match.ts";
import { delegationOf, withFullNames } from "../translate/resolve/delegated-routes.ts";
import { derived } from "../world/derive.ts";
import type { World } from "../world/world.ts";
import { analysisOf, type Flaw } from "./finding.ts";

/** Returns routes that delegate to nothing, routes of delegates that are left out, and delegates without a root. */
export const analyzeDelegates = analysisOf("VirtualService", (world, { metadata, spec }) => {
  const { namespace, name } = metadata;
  const isDelegate = (spec.hosts ?? []).length === 0;
  const forNothing = isDelegate && !delegatedTo(world).has(`${namespace}/${name}`);
  return [
    ...(spec.http ?? []).flatMap((route, index) =>
      route.delegate === undefined ? [] : delegationFaults(world, route, namespace, ["spec", "http", index]),
    ),
    ...(forNothing
      ? [{ path: ["spec"], message: "has no hosts, and no VirtualService delegates to it: it routes nothing" }]
      : []),
  ];
});

/** `<namespace>/<name>` of all that some VirtualService delegates to. */
const delegatedTo = derived(
  (world: World): ReadonlySet<string> =>
    new Set(
      world
        .list("VirtualService")
        .flatMap(({ metadata, spec }) =>
          (spec.http ?? []).flatMap(({ delegate }) =>
            delegate === undefined ? [] : [`${delegate.namespace ?? metadata.namespace}/${delegate.name}`],
          ),
        ),
    ),
);

function delegationFaults(world: World, route: HttpRouteSpec, owner: string, at: FieldPath): readonly Flaw[] {
  if (route.delegate === undefined) return [];
  const path = [...at, "delegate"];
  const delegation = delegationOf(world, route.delegate, owner);
  if (delegation.kind === "found") {
    const { metadata, spec } = delegation.delegate;
    const matches = withFullNames(route, owner).match ?? [];
    const outside = (spec.http ?? []).flatMap((own, index) =>
      mergeMatches(matches, withFullNames(own, metadata.namespace).match ?? []) === undefined ? [index] : [],
    );
    const full = `${metadata.namespace}/${metadata.name}`;
    return outside.map((index) => ({
      path,
      message: `http[${index}] of ${full} is left out: one of its matches does not lie within the match here`,
    }));
  }
  const full = `${delegation.namespace}/${delegation.name}`;
  const left = "the route is left out";
  switch (delegation.kind) {
    case "missing":
      return [{ path, message: `there is no VirtualService ${full}: ${left}`, lacks: [`VirtualService/${full}`] }];
    case "not exported":
      return [{ path, message: `VirtualService ${full} is not exported to ${owner}: ${left}` }];
    case "has hosts":
      return [{ path, message: `VirtualService ${full} has hosts, so nothing can be delegated to it: ${left}` }];
  }
}
