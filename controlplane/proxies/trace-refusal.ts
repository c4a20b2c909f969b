// Consumes: a content that Envoy refuses, the World that it was made from, and the objects that may have made it so.
// Produces: those of them without which the content loads: as few as possible.
// Never does: start an Envoy itself, or change the World that is served.
import type { EncodedResource, ResourceEncoder } from "../snapshot/encode.ts";
import type { MeshProxy } from "../translate/ir/proxy-class.ts";
import type { Inputs } from "../translate/resolve/modules.ts";
import { plainRoutes } from "../xds/plain-routes.ts";
import { emitProxy, resolveProxy } from "../translate/translate.ts";
import { createInputs } from "../world/inputs.ts";
import { type HeldObject, withHeld } from "./held-objects.ts";

/** An object, and what would be in force in its place. */
export type Suspect = Pick<HeldObject, "object" | "instead">;

export interface Refusal {
  readonly inputs: Inputs;
  /** Whom the content was made for. */
  readonly proxy: MeshProxy;
  readonly content: Pick<EncodedResource, "kind" | "name" | "version"> & {
    /** A route configuration with its virtual hosts inside, as clients of the state of the world have it. */
    readonly isWhole?: boolean;
  };
  readonly encoder: Pick<ResourceEncoder, "encodeResource" | "encodeMap">;
  /** Whether an Envoy loads a content; undefined: nobody can tell, and then each does that is not the refused one. */
  readonly loads: (content: EncodedResource) => Promise<boolean | undefined>;
}

/**
 * Returns those of `suspects` that are to blame, none if the content does not load without all of them either. Of
 * several that could be, the later ones in the list are.
 */
export async function traceRefusal(refusal: Refusal, suspects: readonly Suspect[]): Promise<readonly Suspect[]> {
  if (suspects.length === 0 || !(await loadsWithout(refusal, suspects))) return [];
  return culpritsAmong(refusal, suspects, []);
}

/** Without `away` and all of `suspects` it loads: which of them must be away, too? */
async function culpritsAmong(
  refusal: Refusal,
  suspects: readonly Suspect[],
  away: readonly Suspect[],
): Promise<readonly Suspect[]> {
  if (away.length > 0 && (await loadsWithout(refusal, away))) return [];
  if (suspects.length === 1) return suspects;
  const middle = suspects.length >> 1;
  const [first, second] = [suspects.slice(0, middle), suspects.slice(middle)];
  const inFirst = await culpritsAmong(refusal, first, [...away, ...second]);
  return [...inFirst, ...(await culpritsAmong(refusal, second, [...away, ...inFirst]))];
}

/** Returns whether what is published is made so that the content is refused still. */
export function isMade(refusal: Omit<Refusal, "loads">): boolean {
  return contentOf(refusal)?.version === refusal.content.version;
}

/** Returns the content as it is made from the World that is published. */
export function contentOf({ inputs, proxy, content, encoder }: Omit<Refusal, "loads">): EncodedResource | undefined {
  return makeContent(inputs, proxy, content, encoder);
}

/** Returns the content as it would be made without these. */
export function contentWithout(
  { inputs, proxy, content, encoder }: Omit<Refusal, "loads">,
  away: readonly Suspect[],
): EncodedResource | undefined {
  return makeContent(createInputs(withHeld(inputs.world, away), inputs.modules), proxy, content, encoder);
}

function makeContent(
  inputs: Inputs,
  proxy: MeshProxy,
  { kind, name, isWhole }: Refusal["content"],
  encoder: Refusal["encoder"],
): EncodedResource | undefined {
  if (kind === "secrets") return undefined;
  const resources = emitProxy(resolveProxy(inputs, proxy));
  const message = resources[kind].get(name);
  if (isWhole === true) {
    const routes = new Map([...resources.routes].filter(([other]) => other === name));
    const hosts = encoder.encodeMap("virtualHosts", resources.virtualHosts);
    return plainRoutes(encoder.encodeMap("routes", routes), hosts).get(name);
  }
  // The message is of this kind: it was found among those.
  return message && encoder.encodeResource(kind, name, message as never);
}

async function loadsWithout(refusal: Refusal, away: readonly Suspect[]): Promise<boolean> {
  const { content, loads } = refusal;
  const made = contentWithout(refusal, away);
  return made === undefined || (made.version !== content.version && (await loads(made)) !== false);
}
