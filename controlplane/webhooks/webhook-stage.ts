// Consumes: the World, the authority, and what the control plane was installed with.
// Produces: answers to the cluster's API server: pods with their proxies, objects that are right; and, by the control
// plane that leads, the root in the webhook configurations by which the server knows who answers.
// Never does: answer before the World is there, or let through what it could not look at.
import type { Issuer } from "../ca/authority-stage.ts";
import type { ApiClient } from "../kubernetes/api-client.ts";
import { ScrimError } from "../model/failure.ts";
import type { ListenAddress } from "../model/socket-address.ts";
import type { Cell } from "../stages/cell.ts";
import type { Stage } from "../stages/stage.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { World } from "../world/world.ts";
import { writeCaBundles } from "./ca-bundles.ts";
import { INJECT_PATH, VALIDATE_PATH } from "./configurations.ts";
import { admitPod } from "./inject-pods.ts";
import { followInstalledValues } from "./installed-values.ts";
import { createWebhookServer, type WebhookServer } from "./server.ts";
import { admitObject } from "./validate-objects.ts";

export interface WebhookSettings {
  readonly address: ListenAddress;
  /** The control plane's own. */
  readonly namespace: string;
  /** "default" for the one without a name. */
  readonly revision: string;
  /** The images' tag where no values say one. */
  readonly version: string;
}

export interface WebhookDeps {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly logger: Logger;
  /** From 0 up to 1. */
  readonly random: () => number;
}

interface WebhookSources {
  readonly world: Cell<World>;
  readonly issuer: Cell<Issuer | undefined>;
}

const WEEK_MS = 7 * 24 * 3_600_000;
/** Who installs anew takes the root out of the configurations: until it is back no pod starts. */
const BUNDLES_AGAIN_MS = 10_000;

/** Returns the stage that answers, in every control plane. */
export function createWebhookStage(settings: WebhookSettings, deps: WebhookDeps, sources: WebhookSources): Stage {
  let server: WebhookServer | undefined;
  return {
    name: "webhooks",
    async start(signal) {
      const { client, clock, logger, random } = deps;
      const { namespace, version } = settings;
      const service = { namespace, revision: revisionOf(settings) };
      const warn = saidOnce((problem) => logger.warn({}, problem));
      const values = await followInstalledValues({ client, ...service, version, clock, random, warn }, signal);
      const { world, issuer } = sources;
      const opened = createWebhookServer({
        address: settings.address,
        answers: {
          [INJECT_PATH]: (request) => admitPod(request, { world: world.read(), values: values.read() }),
          [VALIDATE_PATH]: admitObject,
        },
        failed: (error, path) => logger.error({ err: error }, `a question at ${path} could not be answered`),
      });
      server = opened;
      await opened.start(issued(issuer));
      issuer.subscribe(() => opened.setCertificate(issued(issuer)));
      void renewed(() => opened.setCertificate(issued(issuer)), clock, signal);
    },
    async stop() {
      await server?.stop();
    },
  };
}

/** Returns the stage that writes the root where API servers look for it, in the control plane that leads. */
export function createCaBundleStage(
  settings: Pick<WebhookSettings, "namespace" | "revision">,
  { client, clock, logger }: WebhookDeps,
  { issuer }: Pick<WebhookSources, "issuer">,
): Stage {
  return {
    name: "webhooks' root",
    runsOn: "leader",
    async start(signal) {
      const service = { namespace: settings.namespace, revision: revisionOf(settings) };
      const say = saidOnce((problem) => logger.warn({}, problem));
      void (async () => {
        while (!signal.aborted) {
          const rootPem = issuer.read()?.rootPem;
          const problems = rootPem === undefined ? [] : await writeCaBundles(client, service, rootPem);
          for (const problem of problems) say(problem);
          await clock.sleep(BUNDLES_AGAIN_MS, signal).catch(() => undefined);
        }
      })();
    },
  };
}

function revisionOf({ revision }: Pick<WebhookSettings, "revision">): string {
  return revision === "default" ? "" : revision;
}

function issued(issuer: WebhookSources["issuer"]) {
  const current = issuer.read();
  if (current === undefined) throw new ScrimError("no-authority", "webhooks start after the certificate authority");
  return current.issueServerCertificate();
}

/** It holds for a year, and is never near its end. */
async function renewed(renew: () => void, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(WEEK_MS, signal).catch(() => undefined);
    if (!signal.aborted) renew();
  }
}

/** The same is not said again until something else was. */
function saidOnce(say: (text: string) => void): (text: string) => void {
  let last = "";
  return (text) => {
    if (text !== last) say(text);
    last = text;
  };
}
