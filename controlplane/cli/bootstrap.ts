// `scrim bootstrap`: the bootstrap of a proxy, to be read, or to run an Envoy of one's own with.
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { LABELS } from "../../filters/telemetry/labels.ts";
import { buildBootstrap, CONTROL_PLANE_SERVER_NAME, type NodeFacts } from "../bootstrap/bootstrap.ts";
import { CLUSTER_ID } from "../model/workload-ref.ts";
import { parseAddress } from "../settings/address.ts";
import type { CommandContext } from "./context.ts";
import { issueToken } from "./issue-token.ts";
import { CommandFailure, exitCodes } from "./exit-codes.ts";
import { renderValue } from "./output.ts";

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
export async function bootstrapCommand(options: BootstrapOptions, { terminal }: CommandContext): Promise<void> {
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
  throw new CommandFailure(exitCodes.usage, message);
}
