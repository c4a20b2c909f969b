// Options that several commands have, and how their examples are written.
import { type Command, Option } from "commander";
import { DEFAULT_ADMIN_URL, type MeshOptions } from "./asked-mesh/asked-mesh.ts";
import type { OutputFormat } from "./output.ts";

/** What a command that asks a running mesh is given. */
export type AskOptions = MeshOptions;

/** What a command that prints a table is given. */
export type TableOptions = AskOptions & {
  readonly output: OutputFormat;
};

/** Adds the options that say which mesh is asked: one at an admin address, or a cluster's. */
export function withAskedMesh(command: Command): Command {
  const otherwise = `(default: ${DEFAULT_ADMIN_URL}, where it does not answer the kubeconfig's cluster)`;
  return command
    .option("--admin <url>", `the mesh's admin address ${otherwise}`)
    .option("-n, --namespace <namespace>", "the namespace of names that are without one")
    .option("--kubeconfig <file>", "a cluster's mesh: the file that leads to it (default: KUBECONFIG, ~/.kube/config)")
    .option("--context <name>", "a cluster's mesh: the context in the kubeconfig")
    .option("-i, --istioNamespace <namespace>", "a cluster's mesh: where its control plane is (default: istio-system)")
    .option("--revision <name>", "a cluster's mesh: which of several control planes");
}

/** Returns `--output`, whose first format is the default. */
export function outputOption(...formats: readonly [string, ...string[]]): Option {
  return new Option("-o, --output <format>", "how to print").choices(formats).default(formats[0]);
}

/** Adds what `scrim up` and `scrim serve` both take; `adminPort` is what the admin port is by default. */
export function withMeshOptions(command: Command, adminPort: string): Command {
  return command
    .option("--admin-port <port>", `port of the admin pages on 127.0.0.1; 0 picks a free one (default: ${adminPort})`)
    .option("--admin-address <host:port>", "where the admin pages are, when not on 127.0.0.1: instead of --admin-port")
    .option("--quiet", "say nothing of changes that were taken up, only what is wrong")
    .option("--strict", "refuse deprecated spellings instead of warning")
    .option("--allow-empty", "when the directory becomes empty, remove everything")
    .option(
      "--certificate-lifetime <duration>",
      "how long a workload's certificate is valid, as in 24h or 10m (default: 24h)",
    )
    .addOption(
      new Option(
        "--allow-fetch-from <cidr>",
        "a range of addresses, beside public ones, that plugins may be fetched from; may be repeated",
      )
        .argParser(collect)
        .default([], "none"),
    )
    .addOption(
      new Option("--plain-registry <host:port>", "a registry that is spoken to without TLS; may be repeated")
        .argParser(collect)
        .default([], "those of this machine"),
    );
}

/** Gathers an option that may be repeated. */
export function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

/** Returns examples as they stand below a command's help. */
export function examples(...lines: readonly string[]): string {
  return `\n${lines.length === 1 ? "Example" : "Examples"}:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}
