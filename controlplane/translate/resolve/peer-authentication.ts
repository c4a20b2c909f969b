// Whether a port of a workload takes mutual TLS, plaintext, or both.
import type { PeerAuthenticationSpec } from "../../model/kinds/peer-authentication.ts";
import { selectsAll } from "../../model/labels.ts";
import type { MeshObject } from "../../model/object.ts";
import { derived } from "../../world/derive.ts";
import type { World } from "../../world/world.ts";
import { labelsKey } from "../../world/labels-key.ts";
import { type SelectedProxy, selectorOf, selectPolicies } from "./workload-selector.ts";

/** A mode once nothing is left to inherit. */
export type EffectiveMtlsMode = "STRICT" | "PERMISSIVE" | "DISABLE";

/** What sets the mode of one workload: the policy of its own, and what its ports inherit beyond it. */
interface WorkloadModes {
  readonly own: PeerAuthenticationSpec | undefined;
  readonly inherited: EffectiveMtlsMode;
}

/**
 * Returns the mode of one workload port: the narrowest of port, workload, namespace and mesh level that sets one,
 * within a level the oldest policy; PERMISSIVE when none does. Port levels count only on policies with a selector, and
 * selectors of the root namespace reach its own workloads only
 * (https://istio.io/latest/docs/reference/config/security/peer_authentication/). Cheap to ask for every endpoint of a
 * World.
 */
export function resolveMtlsMode(world: World, proxy: SelectedProxy, port: number): EffectiveMtlsMode {
  return modeOfPort(world, proxy, port);
}

const modeOfPort = derived(
  (world: World, proxy: SelectedProxy, port: number): EffectiveMtlsMode => {
    const modes = resolveModes(world, proxy);
    return modeOf(modes.own?.portLevelMtls?.[String(port)]) ?? modeOf(modes.own?.mtls) ?? modes.inherited;
  },
  { keyOf: ({ namespace, labels }, port) => `${namespace} ${port} ${labelsKey(labels)}` },
);

/** Returns the ports to which the workload's own policy gives a mode, ascending, and the mode of all others. */
export function resolvePortModes(
  world: World,
  proxy: SelectedProxy,
): { readonly modes: ReadonlyMap<number, EffectiveMtlsMode>; readonly others: EffectiveMtlsMode } {
  const { own, inherited } = resolveModes(world, proxy);
  const ports = Object.keys(own?.portLevelMtls ?? {}).map(Number);
  return {
    modes: new Map(ports.sort((a, b) => a - b).map((port) => [port, resolveMtlsMode(world, proxy, port)])),
    others: modeOf(own?.mtls) ?? inherited,
  };
}

function resolveModes(world: World, proxy: SelectedProxy): WorkloadModes {
  const selecting = selectPolicies(world, "PeerAuthentication", proxy);
  const oldest = (namespace: string, wide: boolean) =>
    selecting.find((policy) => policy.metadata.namespace === namespace && isWide(policy) === wide)?.spec;
  return {
    own: oldest(proxy.namespace, false),
    inherited:
      modeOf(oldest(proxy.namespace, true)?.mtls) ??
      modeOf(oldest(world.mesh.rootNamespace, true)?.mtls) ??
      "PERMISSIVE",
  };
}

function isWide(policy: MeshObject<"PeerAuthentication">): boolean {
  return selectsAll(selectorOf(policy));
}

function modeOf(mtls: PeerAuthenticationSpec["mtls"]): EffectiveMtlsMode | undefined {
  return mtls?.mode === undefined || mtls.mode === "UNSET" ? undefined : mtls.mode;
}
