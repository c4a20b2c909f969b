// Where Scrim's own built parts lie, told from the place of its launcher.
import { dirname, join } from "node:path";

export interface Installation {
  /** The script that starts every command. */
  readonly launcher: string;
  /** `filters/build`, the four modules. */
  readonly filtersDir: string;
  /** The built child process that tries plugins. */
  readonly pluginCheckScript: string;
}

/** Returns the installation whose launcher is `<root>/controlplane/cli/scrim.mjs`. */
export function installationOf(launcher: string): Installation {
  const root = join(dirname(launcher), "../..");
  return { launcher, filtersDir: join(root, "filters/build"), pluginCheckScript: join(root, "controlplane/build/check-plugin.mjs") };
}
