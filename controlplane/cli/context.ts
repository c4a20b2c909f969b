import type { Environment } from "../settings/environment.ts";
import type { Installation } from "../settings/installation.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { Terminal } from "./terminal.ts";

/** What every command may use of the world outside. */
export interface CommandContext {
  readonly environment: Environment;
  readonly installation: Installation;
  readonly terminal: Terminal;
  readonly clock: Clock;
}
