// Who is who in a mesh, and who vouches for it: on this machine the files of the state directory, on a cluster its API
// server.
import { join } from "node:path";
import type { ServerNames } from "../ca/authority.ts";
import { directoryStore } from "../ca/directory-store.ts";
import { secretStore } from "../ca/secret-store.ts";
import type { SigningStore } from "../ca/signing-store.ts";
import type { ApiClient } from "../kubernetes/api-client.ts";
import { createLease, leaderLease, type LeaseStage } from "../kubernetes/lease.ts";
import type { ClusterSettings, ServeSettings } from "../settings/settings.ts";
import type { Cell } from "../stages/cell.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { World } from "../world/world.ts";
import type { Authenticate } from "../xds/authenticate.ts";
import { createIdentityFile } from "../xds/identities.ts";
import { createDebugReaders, type MayRead } from "./debug-readers.ts";
import { createPodTokens } from "./pod-tokens.ts";

export interface MeshIdentity {
  /** Whose proxies come, and who reads the debug pages of its namespace. */
  readonly authenticate: Authenticate;
  /** Where the mesh's authority has what it signs with. */
  readonly signing: SigningStore;
  /** Those by which proxies look the control plane up. */
  readonly serverNames: ServerNames;
  /** Who else may read debug pages. */
  readonly mayRead?: MayRead;
}

interface LocalDeps {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Returns the identity of a mesh directory. */
export function localIdentity(
  { stateDir, runtimeDir }: Pick<ServeSettings, "stateDir" | "runtimeDir">,
  { clock, logger }: LocalDeps,
): MeshIdentity {
  const identities = join(runtimeDir ?? stateDir, "identities.json");
  return {
    authenticate: createIdentityFile(identities, (problem) => logger.warn({}, problem)),
    signing: directoryStore(join(stateDir, "ca"), clock),
    serverNames: { dnsNames: ["istiod.istio-system.svc", "scrim.local"], ipAddresses: ["127.0.0.1"] },
  };
}

interface ClusterDeps extends LocalDeps {
  readonly client: ApiClient;
  /** The control plane's own. */
  readonly namespace: string;
}

/** Returns the identity of a cluster's mesh. */
export function clusterIdentity(
  { revision, tokenAudience }: Pick<ClusterSettings, "revision" | "tokenAudience">,
  { client, namespace, clock, logger }: ClusterDeps,
  world: Cell<World>,
): MeshIdentity {
  const podUid = (of: string, name: string): string | undefined => {
    const origin = world.read().get("Pod", of, name)?.origin;
    return origin?.kind === "kubernetes" ? origin.uid : undefined;
  };
  return {
    authenticate: createPodTokens({ api: client, audience: tokenAudience, podUid, clock, logger }),
    signing: secretStore(namespace, { api: client, clock, logger }),
    serverNames: serverNames(namespace, revision),
    mayRead: createDebugReaders(client),
  };
}

/** The Service's names, and those of the revision's. */
function serverNames(namespace: string, revision: string): ServerNames {
  const services = revision === "default" ? ["istiod"] : [`istiod-${revision}`, "istiod"];
  const hosts = services.map((service) => `${service}.${namespace}.svc`);
  return { dnsNames: [...hosts, ...hosts.map((host) => `${host}.cluster.local`)], ipAddresses: [] };
}

/** Returns the Lease by which one control plane of a revision leads; `holder` is another one in every process. */
export function clusterLease(
  { revision }: Pick<ClusterSettings, "revision">,
  { client, namespace, clock, logger }: ClusterDeps,
  holder: string,
): LeaseStage {
  // Istio's own Leases have other names: both may run side by side while people go over.
  return createLease({ api: client, clock, logger, namespace, name: leaderLease(revision), holder });
}
