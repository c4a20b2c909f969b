// Where Scrim's own built parts lie, told from the place of its launcher.
import { dirname, join } from "node:path";

export interface Installation {
  /** The script that starts every command. */
  readonly launcher: string;
  /** `filters/build`, the four modules. */
  readonly filtersDir: string;
  /** The built thread that parses large YAML documents. */
  readonly yamlThreadScript: string;
  /** The built child process that tries plugins. */
  readonly pluginCheckScript: string;
}

/** Returns the installation whose launcher is `<root>/controlplane/cli/scrim.mjs`. */
export function installationOf(launcher: string): Installation {
  const root = join(dirname(launcher), "../..");
  const built = join(root, "controlplane/build");
  return {
    launcher,
    filtersDir: join(root, "filters/build"),
    yamlThreadScript: join(built, "parse-yaml.mjs"),
    pluginCheckScript: join(built, "check-plugin.mjs"),
  };
}
