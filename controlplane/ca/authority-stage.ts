// Consumes: the mesh's trust domain, and the root certificate and key in the state directory.
// Produces: certificates: each workload identity's, renewed before they expire, and the control plane's own.
// Never does: make a second root in silence: without its key the mesh has no identities to give, and that is said.
import { join } from "node:path";
import { ScrimError } from "../model/failure.ts";
import type { ServeSettings } from "../settings/settings.ts";
import { type Cell, createCell } from "../stages/cell.ts";
import type { Stage } from "../stages/stage.ts";
import type { Clock } from "../telemetry/clock.ts";
import { registerRootExpiry } from "../telemetry/control-plane-metrics.ts";
import type { Registry } from "../telemetry/metrics.ts";
import type { World } from "../world/world.ts";
import { type Authority, openAuthority } from "./authority.ts";
import { createWorkloadSecrets, type WorkloadSecrets } from "./workload-secrets.ts";

const SERVER_NAMES = { dnsNames: ["istiod.istio-system.svc", "scrim.local"], ipAddresses: ["127.0.0.1"] };

/** What only an authority with its key can give. */
export interface Issuer {
  /** As WorkloadSecrets has it. */
  readonly secretsFor: WorkloadSecrets["secretsFor"];
  /** A new certificate of the control plane's own, for its names. */
  issueServerCertificate(): { readonly certificate: string; readonly key: string };
}

export interface AuthorityStage extends Stage {
  /** Undefined until the stage has started. */
  readonly issuer: Cell<Issuer | undefined>;
  /** Counts up whenever certificates are due: who still needs them asks again and gets new ones. */
  readonly renewals: Cell<number>;
}

interface AuthorityDeps {
  readonly clock: Clock;
  readonly metrics: Registry;
  /** From 0 up to 1, as Math.random: spreads renewals. */
  readonly random: () => number;
}

/** Returns the stage that signs. */
export function createAuthorityStage(
  { stateDir, workloadLifetimeMs }: Pick<ServeSettings, "stateDir" | "workloadLifetimeMs">,
  { clock, metrics, random }: AuthorityDeps,
  world: Cell<World>,
): AuthorityStage {
  const issuer = createCell<Issuer | undefined>(undefined);
  const renewals = createCell(0);
  return {
    name: "certificate authority",
    runsOn: "leader",
    issuer,
    renewals,
    async start(signal) {
      const { trustDomain } = world.read().mesh;
      const opening = openAuthority({ directory: join(stateDir, "ca"), trustDomain, clock, workloadLifetimeMs });
      if (opening.kind === "failed")
        throw new ScrimError(opening.code, `The certificate authority cannot start: ${opening.message}`);
      const { authority } = opening;
      registerRootExpiry(metrics, authority.rootPem, clock);
      const secrets = createWorkloadSecrets({ authority, clock, random });
      issuer.set({ secretsFor: secrets.secretsFor, issueServerCertificate: () => serverCertificate(authority) });
      void secrets.watch(() => renewals.set(renewals.read() + 1), signal);
    },
  };
}

function serverCertificate(authority: Authority): { readonly certificate: string; readonly key: string } {
  const { chainPem, keyPem } = authority.issueServerCertificate(SERVER_NAMES);
  return { certificate: chainPem, key: keyPem };
}
