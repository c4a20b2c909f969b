// Consumes: the mesh's trust domain, and what its authority signs with, from where that is kept.
// Produces: certificates: each workload identity's, renewed before they expire, and the control plane's own.
// Never does: make a second root in silence: without its key the mesh has no identities to give, and that is said.
import { ScrimError } from "../model/failure.ts";
import type { ServeSettings } from "../settings/settings.ts";
import { type Cell, createCell } from "../stages/cell.ts";
import type { Stage } from "../stages/stage.ts";
import type { Clock } from "../telemetry/clock.ts";
import { registerRootExpiry } from "../telemetry/control-plane-metrics.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Registry } from "../telemetry/metrics.ts";
import type { World } from "../world/world.ts";
import { type Authority, createAuthority, type IssuedCertificate, type ServerNames } from "./authority.ts";
import { planReplacement } from "./replacement.ts";
import { type SigningIdentity, trusts } from "./signing-identity.ts";
import type { SigningStore } from "./signing-store.ts";
import { createWorkloadSecrets, type WorkloadSecrets } from "./workload-secrets.ts";
import { validityOf } from "./x509.ts";

/** What only an authority with its key can give. */
export interface Issuer {
  /** What proxies trust, in PEM. */
  readonly rootPem: string;
  /** As WorkloadSecrets has it. */
  readonly secretsFor: WorkloadSecrets["secretsFor"];
  /** A new certificate of the control plane's own, for its names. */
  issueServerCertificate(): { readonly certificate: string; readonly key: string };
}

export interface AuthorityStage extends Stage {
  /** Undefined until the stage has started; another one when something else signs. */
  readonly issuer: Cell<Issuer | undefined>;
  /** Counts up whenever certificates are due: who still needs them asks again and gets new ones. */
  readonly renewals: Cell<number>;
}

interface AuthorityDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Registry;
  /** From 0 up to 1, as Math.random: spreads renewals. */
  readonly random: () => number;
  readonly store: SigningStore;
  /** Those by which proxies look the control plane up. */
  readonly serverNames: ServerNames;
}

/** So long proxies have to take up new roots before something is signed that leads to them. */
const TRUST_FIRST_MS = 300_000;

const NEW_ROOT =
  "the CA has a new root: workloads trust it from now on, but proxies that run know the control plane by the old one; " +
  "restart the workloads before the control planes";

/** Returns the stage that signs. */
export function createAuthorityStage(
  settings: Pick<ServeSettings, "workloadLifetimeMs">,
  deps: AuthorityDeps,
  world: Cell<World>,
): AuthorityStage {
  const { clock, logger, store } = deps;
  const issuer = createCell<Issuer | undefined>(undefined);
  const renewals = createCell(0);
  return {
    name: "certificate authority",
    issuer,
    renewals,
    async start(signal) {
      const { trustDomain } = world.read().mesh;
      const opened = await store.open(trustDomain, signal);
      if (opened.kind === "failed")
        throw new ScrimError(opened.code, `The certificate authority cannot start: ${opened.message}`);
      let current = opened;
      // Proxies that run read the roots that prove the control plane when they start, and never again.
      let ofServers = opened;
      let inUse = new AbortController();
      const signWith = (identity: SigningIdentity): AbortSignal => {
        inUse.abort();
        inUse = new AbortController();
        const ended = AbortSignal.any([signal, inUse.signal]);
        current = identity;
        if (trusts(opened.rootsPem, identity)) ofServers = identity;
        const [authority, server] = [identity, ofServers].map((one) =>
          createAuthority({ trustDomain, clock, ...settings }, one),
        ) as [Authority, Authority];
        const secrets = createWorkloadSecrets({ authority, clock, random: deps.random });
        issuer.set(issuerOf(authority, secrets, () => server.issueServerCertificate(deps.serverNames)));
        void secrets.watch(() => renewals.set(renewals.read() + 1), ended);
        return ended;
      };
      signWith(opened);
      registerRootExpiry(deps.metrics, () => validityOf(current.root).notAfterMs, clock);
      store.follow?.((next) => {
        const plan = planReplacement(current, next);
        if (plan.kind === "failed") return logger.error({}, `another CA certificate is not taken up: ${plan.message}`);
        const ended = signWith(plan.now);
        logger.info({}, `the CA certificate was replaced${plan.later ? "; first its root is made known" : ""}`);
        if (plan.later === undefined) return;
        logger.warn({}, NEW_ROOT);
        void switchLater(plan.later, clock, ended, signWith);
      }, signal);
    },
  };
}

async function switchLater(
  identity: SigningIdentity,
  clock: Clock,
  ended: AbortSignal,
  signWith: (identity: SigningIdentity) => void,
): Promise<void> {
  await clock.sleep(TRUST_FIRST_MS, ended).catch(() => undefined);
  if (!ended.aborted) signWith(identity);
}

function issuerOf(
  { rootPem }: Authority,
  { secretsFor }: WorkloadSecrets,
  issueForServer: () => IssuedCertificate,
): Issuer {
  return {
    rootPem,
    secretsFor,
    issueServerCertificate() {
      const { chainPem, keyPem } = issueForServer();
      return { certificate: chainPem, key: keyPem };
    },
  };
}
