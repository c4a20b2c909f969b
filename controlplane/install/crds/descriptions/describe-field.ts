// What `kubectl explain` says of a field, in our own words.
import { commonDescriptions } from "./common.ts";
import { destinationDescriptions } from "./destinations.ts";
import { extensionDescriptions } from "./extensions.ts";
import { policyDescriptions } from "./policies.ts";
import { routingDescriptions } from "./routing.ts";

const texts: ReadonlyMap<string, string> = new Map(
  [commonDescriptions, routingDescriptions, destinationDescriptions, policyDescriptions, extensionDescriptions].flatMap(
    (descriptions) => Object.entries(descriptions),
  ),
);

/**
 * Returns what the field means at the end of these names, of which the first is the kind: the text whose own names are
 * the most of the path's last ones. Undefined where there is none.
 */
export function describeField(path: readonly string[]): string | undefined {
  for (const first of path.keys()) {
    const text = texts.get(path.slice(first).join("."));
    if (text !== undefined) return text;
  }
  return undefined;
}
