// Consumes: the control plane's view of itself, and what people ask for with the token of the state directory.
// Produces: the admin pages and the metrics; people's decisions about rollouts.
// Never does: work anything out itself.
import { join } from "node:path";
import { createKeptFile, type DiskNews } from "../disk/kept-file.ts";
import type { ServeSettings } from "../settings/settings.ts";
import type { Stage } from "../stages/stage.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { AdminChanges } from "./changes.ts";
import { type AdminServerOptions, createAdminServer } from "./server.ts";

interface AdminDeps {
  readonly clock: Clock;
  readonly news: DiskNews;
  /** What whoever changes something must know: it is written where only this user can read it. */
  readonly token: string;
}

type AdminParts = Omit<AdminServerOptions, "address" | "runsLocally" | "changes"> & Pick<AdminChanges, "rollout">;

/** Returns the stage that answers people and their tools; its port is open before any other stage starts. */
export function createAdminStage(
  { stateDir, adminAddress, runtimeDir }: Pick<ServeSettings, "stateDir" | "adminAddress" | "runtimeDir">,
  { clock, news, token }: AdminDeps,
  { rollout, ...parts }: AdminParts,
): Stage {
  const tokenFile = join(stateDir, "admin-token");
  const kept = createKeptFile({
    path: tokenFile,
    content: () => `${token}\n`,
    news,
    sleep: (ms, signal) => clock.sleep(ms, signal),
    quietMs: 0,
  });
  const server = createAdminServer({
    ...parts,
    address: adminAddress,
    runsLocally: runtimeDir !== undefined,
    changes: { tokenFile, token, rollout },
  });
  return {
    name: "admin",
    async open() {
      await server.start();
    },
    async start() {
      kept.changed();
    },
    async stop() {
      await kept.flush();
      await server.stop();
    },
  };
}
