// `scrim bootstrap`: the bootstrap of a proxy, to be read, or to run an Envoy of one's own with.
import type { Command } from "commander";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { LABELS } from "../../filters/telemetry/labels.ts";
import { buildBootstrap, CONTROL_PLANE_SERVER_NAME, type NodeFacts } from "../bootstrap/bootstrap.ts";
import { CLUSTER_ID } from "../model/workload-ref.ts";
import { parseAddress } from "../settings/address.ts";
import type { CommandContext } from "./context.ts";
import { issueToken } from "./issue-token.ts";
import { SCRIM_VERSION } from "../settings/version.ts";
import { commandFailure } from "./exit-codes.ts";
import { collect, examples, outputOption } from "./options.ts";
import { renderValue } from "./output.ts";

/** Adds `scrim bootstrap`. */
export function addBootstrap(program: Command, context: CommandContext): void {
  program
    .command("bootstrap")
    .description("print the Envoy bootstrap of a proxy")
    .requiredOption("--proxy <namespace/name>", "the pod")
    .option("--kind <kind>", "sidecar or router", "sidecar")
    .option("--ip <address>", "the pod's address", "127.0.0.1")
    .option("--service-account <name>", "its service account", "default")
    .option("--label <name=value>", "a label of the pod; may be repeated", collect, [])
    .option("--stat-tag <name>", "a label of metrics beyond the standard ones; may be repeated", collect, [])
    .option("--xds-address <host:port>", "the control plane", "127.0.0.1:15012")
    .option("--admin-port <port>", "Envoy's admin page, on 127.0.0.1", "15000")
    .option("--state-dir <directory>", "the control plane's state directory, for its root certificate", ".scrim")
    .option(
      "--root-cert <file>",
      "the control plane's root certificate (default: ca/root-cert.pem in the state directory)",
    )
    .option("--trust-domain <domain>", "the mesh's trust domain", "cluster.local")
    .option("--token <token>", "the proxy's credential")
    .option(
      "--issue-token",
      "make the proxy a credential in the state directory of a control plane that `scrim serve` runs",
    )
    .addOption(outputOption("json", "yaml"))
    .addHelpText(
      "after",
      examples(
        "scrim bootstrap --proxy default/reviews-v1-0 --ip 127.10.4.7 --service-account bookinfo-reviews " +
          "--label app=reviews --issue-token > envoy.json",
      ),
    )
    .action((options: BootstrapOptions) => bootstrapCommand(options, context));
}

export interface BootstrapOptions {
  readonly proxy: string;
  readonly kind: string;
  readonly ip: string;
  readonly serviceAccount: string;
  readonly label: readonly string[];
  /** Labels that the mesh's MeshConfig names under defaultConfig.extraStatTags. */
  readonly statTag: readonly string[];
  readonly xdsAddress: string;
  readonly adminPort: string;
  readonly rootCert?: string;
  readonly trustDomain: string;
  readonly token?: string;
  readonly issueToken?: boolean;
  readonly stateDir: string;
  readonly output: "json" | "yaml";
}

/**
 * Prints the bootstrap of the proxy that the options describe; with `--issue-token` it makes the proxy's credential
 * first.
 */
async function bootstrapCommand(options: BootstrapOptions, { terminal }: CommandContext): Promise<void> {
  const facts = factsOf(options);
  if (options.issueToken !== true) return terminal.out(renderValue(buildBootstrap(facts), options.output));
  const token = randomBytes(32).toString("hex");
  await issueToken(join(options.stateDir, "identities.json"), token, {
    namespace: facts.namespace,
    serviceAccount: facts.serviceAccount,
    pod: facts.podName,
  });
  terminal.out(renderValue(buildBootstrap({ ...facts, token }), options.output));
}

function factsOf(options: BootstrapOptions): NodeFacts {
  const [, namespace, name] =
    /^([^/]+)\/([^/]+)$/.exec(options.proxy) ?? usage(`--proxy ${options.proxy}: write NAMESPACE/NAME.`);
  const xds = parseAddress(options.xdsAddress) ?? usage(`--xds-address ${options.xdsAddress}: write HOST:PORT.`);
  const kind =
    options.kind === "sidecar" || options.kind === "router"
      ? options.kind
      : usage(`--kind ${options.kind}: write sidecar or router.`);
  const labels = Object.fromEntries(
    options.label.map((text) => {
      const [, key = "", value = ""] = /^([^=]+)=(.*)$/.exec(text) ?? usage(`--label ${text}: write NAME=VALUE.`);
      return [key, value];
    }),
  );
  return {
    kind,
    namespace: namespace ?? "",
    podName: name ?? "",
    workload: name ?? "",
    serviceAccount: options.serviceAccount,
    labels,
    podIp: options.ip,
    trustDomain: options.trustDomain,
    clusterId: CLUSTER_ID,
    version: SCRIM_VERSION,
    admin: { address: "127.0.0.1", port: Number(options.adminPort) || 15_000 },
    controlPlane: {
      ...xds,
      rootCertificateFile: options.rootCert ?? join(options.stateDir, "ca", "root-cert.pem"),
      serverName: CONTROL_PLANE_SERVER_NAME,
    },
    token: options.token,
    metricLabels: LABELS,
    extraStatTags: options.statTag,
  };
}

function usage(message: string): never {
  throw commandFailure("usage", message);
}
