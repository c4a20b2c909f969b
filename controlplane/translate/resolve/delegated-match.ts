// The matches of a delegate's route, each within one of the matches of the route that delegates.
import type { HttpMatchSpec } from "../../model/kinds/virtual-service.ts";
import type { StringMatch } from "../../model/schema.ts";

/**
 * Returns every match of the delegate within every match of the root that has room for it. Undefined where one of the
 * delegate's lies within none: its route is then left out as a whole, as in Istio.
 */
export function mergeMatches(
  root: readonly HttpMatchSpec[],
  own: readonly HttpMatchSpec[],
): readonly HttpMatchSpec[] | undefined {
  if (root.length === 0) return own;
  if (own.length === 0) return root;
  const merged = own.map((match) =>
    root.filter((outer) => !isOutside(outer, match)).map((outer) => mergeMatch(outer, match)),
  );
  return merged.some((matches) => matches.length === 0) ? undefined : merged.flat();
}

const TEXTS = ["uri", "scheme", "method", "authority"] as const;
const NAMED = ["headers", "withoutHeaders", "queryParams"] as const;

function mergeMatch(root: HttpMatchSpec, own: HttpMatchSpec): HttpMatchSpec {
  const name = root.name && own.name ? `${root.name}-${own.name}` : own.name || root.name;
  const maps = [...NAMED, "sourceLabels" as const].flatMap((field) =>
    root[field] === undefined ? [] : [[field, { ...root[field], ...own[field] }]],
  );
  const gateways = own.gateways?.length ? own.gateways : root.gateways;
  return { ...root, ...own, ...Object.fromEntries(maps), ...(name && { name }), ...(gateways && { gateways }) };
}

/** Whether some request could fit the delegate's match and not the root's, as far as Istio looks. */
function isOutside(root: HttpMatchSpec, own: HttpMatchSpec): boolean {
  if (TEXTS.some((field) => differs(root[field], own[field]))) return true;
  if (NAMED.some((field) => Object.entries(own[field] ?? {}).some(([key, text]) => differs(root[field]?.[key], text))))
    return true;
  if ((root.ignoreUriCase ?? false) !== (own.ignoreUriCase ?? false)) return true;
  if (root.port !== undefined && own.port !== undefined && root.port !== own.port) return true;
  if (root.sourceNamespace !== undefined && root.sourceNamespace !== own.sourceNamespace) return true;
  const labels = Object.entries(own.sourceLabels ?? {});
  if (labels.some(([key, value]) => (root.sourceLabels?.[key] ?? value) !== value)) return true;
  const gateways = root.gateways?.length ? root.gateways : undefined;
  return gateways !== undefined && (own.gateways ?? []).some((gateway) => !gateways.includes(gateway));
}

/** A regular expression stands beside nothing: nobody can say what lies within it. */
function differs(root: StringMatch | undefined, own: StringMatch | undefined): boolean {
  if (root === undefined || own === undefined) return false;
  if (root.exact) return own.exact !== root.exact;
  const text = own.prefix || own.exact;
  return !(root.prefix && text && !own.regex && text.startsWith(root.prefix));
}
