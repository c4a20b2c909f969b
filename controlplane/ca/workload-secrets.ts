// The secrets of each workload identity, as SDS serves them, renewed before they expire.
import type { Secret } from "../../protos/build/envoy.ts";
import type { SpiffeId } from "../model/spiffe.ts";
import type { Authority } from "./authority.ts";

/** The names that sidecars ask for, as with Istio. */
export const WORKLOAD_CERTIFICATE = "default";
export const ROOT_CERTIFICATE = "ROOTCA";

export type Secrets = ReadonlyMap<string, Secret>;

export interface WorkloadSecrets {
  /** `default` (certificate and key) and `ROOTCA` of an identity; the same map until it is due for renewal. */
  secretsFor(id: SpiffeId): Secrets;
  /** Forgets what is due; true if something was: who still needs it asks again and gets a new one. */
  dropDue(): boolean;
  /** Calls `onDue` whenever certificates are due, until the signal is aborted. */
  watch(onDue: () => void, signal: AbortSignal): Promise<void>;
}

export interface WorkloadSecretsOptions {
  readonly authority: Authority;
  readonly clock: { nowMs(): number; sleep(ms: number, signal?: AbortSignal): Promise<void> };
  /** From 0 up to 1, as Math.random. */
  readonly random: () => number;
}

interface Entry {
  readonly secrets: Secrets;
  readonly dueAtMs: number;
}

const MIN_CHECK_MS = 50;
const MAX_CHECK_MS = 30_000;

/** Secrets with nothing issued yet. */
export function createWorkloadSecrets(options: WorkloadSecretsOptions): WorkloadSecrets {
  const { authority, clock } = options;
  const entries = new Map<SpiffeId, Entry>();
  const root: Secret = {
    name: ROOT_CERTIFICATE,
    validationContext: { trustedCa: { inlineString: authority.rootPem } },
  };

  const dropDue = (): boolean => {
    const nowMs = clock.nowMs();
    const due = [...entries].filter(([, entry]) => entry.dueAtMs <= nowMs);
    for (const [id] of due) entries.delete(id);
    return due.length > 0;
  };

  // Often enough for the life that certificates have, seldom enough to cost nothing.
  const checkIntervalMs = Math.min(MAX_CHECK_MS, Math.max(MIN_CHECK_MS, authority.workloadLifetimeMs / 40));

  return {
    secretsFor(id) {
      let entry = entries.get(id);
      if (entry === undefined || entry.dueAtMs <= clock.nowMs()) entries.set(id, (entry = issue(id, root, options)));
      return entry.secrets;
    },
    dropDue,
    async watch(onDue, signal) {
      while (!signal.aborted) {
        await clock.sleep(checkIntervalMs, signal).catch(() => undefined);
        if (!signal.aborted && dropDue()) onDue();
      }
    },
  };
}

function issue(id: SpiffeId, root: Secret, { authority, clock, random }: WorkloadSecretsOptions): Entry {
  const { chainPem, keyPem, expiresAtMs } = authority.issueWorkloadCertificate(id);
  const nowMs = clock.nowMs();
  const own: Secret = {
    name: WORKLOAD_CERTIFICATE,
    tlsCertificate: { certificateChain: { inlineString: chainPem }, privateKey: { inlineString: keyPem } },
  };
  // Half life, and up to a tenth of the life earlier or later, so that a mesh started at once does not renew at once.
  const share = 0.5 + (random() - 0.5) * 0.2;
  return {
    secrets: new Map([
      [WORKLOAD_CERTIFICATE, own],
      [ROOT_CERTIFICATE, root],
    ]),
    dueAtMs: nowMs + (expiresAtMs - nowMs) * share,
  };
}
