// Names of Services and namespaces that lead nowhere: ExternalNames that lead to themselves, callers from nowhere.
import { namedByAlias } from "../translate/resolve/service.ts";
import { isInhabited } from "./egress.ts";
import { analysisOf, type Flaw } from "./finding.ts";

/** Returns ExternalNames that come back to themselves. */
export const analyzeAliases = analysisOf("Service", (world, { metadata, spec }): readonly Flaw[] =>
  spec.type === "ExternalName" && namedByAlias(world, metadata) === "itself"
    ? [{ path: ["spec", "externalName"], message: "leads round in a circle: requests for this host fail" }]
    : [],
);

/** Returns namespaces that AuthorizationPolicies ask callers to be of, and that have nothing in them. */
export const analyzeCallers = analysisOf("AuthorizationPolicy", (world, { spec }) =>
  (spec.rules ?? []).flatMap(({ from = [] }, rule) =>
    from.flatMap(({ source }, index) =>
      (["namespaces", "notNamespaces"] as const).flatMap((field) =>
        (source?.[field] ?? []).flatMap((name, at): readonly Flaw[] => {
          if (name.includes("*") || isInhabited(world, name)) return [];
          const path = ["spec", "rules", rule, "from", index, "source", field, at];
          return [{ path, message: `there is nothing in namespace ${name}: no caller of this mesh is of it` }];
        }),
      ),
    ),
  ),
);
