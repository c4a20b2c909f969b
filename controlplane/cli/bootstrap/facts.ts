// What the options of `scrim bootstrap` say of a proxy.
import { join } from "node:path";
import { LABELS } from "../../../filters/telemetry/labels.ts";
import { CONTROL_PLANE_SERVER_NAME, type NodeFacts } from "../../bootstrap/bootstrap.ts";
import type { CapturedFacts, TokenFiles } from "../../bootstrap/captured-bootstrap.ts";
import { CLUSTER_ID } from "../../model/workload-ref.ts";
import { parseAddress } from "../../settings/address.ts";
import { commandFailure } from "../exit-codes.ts";
import { SCRIM_VERSION } from "../../settings/version.ts";

export interface BootstrapOptions {
  readonly proxy?: string;
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
  readonly capture?: CapturedFacts["capture"];
  readonly workload?: string;
  readonly tokenFile: string;
  readonly tokenSecretFile: string;
  readonly adminSocket: string;
  readonly ipFamilies: CapturedFacts["ipFamilies"];
  readonly print: "bootstrap" | "token-secret" | "iptables" | "ip6tables";
  readonly output: "json" | "yaml";
}

/** Returns the facts of the proxy that programs are told of. Fails with a sentence. */
export function factsOf(options: BootstrapOptions): NodeFacts {
  const { namespace, name } = qualifiedName("--proxy", options.proxy);
  const kind =
    options.kind === "sidecar" || options.kind === "router"
      ? options.kind
      : usage(`--kind ${options.kind}: write sidecar or router.`);
  return {
    ...sharedFacts(options),
    kind,
    namespace,
    podName: name,
    workload: name,
    podIp: options.ip,
    admin: { address: "127.0.0.1", port: Number(options.adminPort) || 15_000 },
    controlPlane: controlPlaneOf(options),
    token: options.token,
  };
}

/** Returns the facts of a workload's captured sidecars. Fails with a sentence. */
export function capturedFactsOf(options: BootstrapOptions, capture: CapturedFacts["capture"]): CapturedFacts {
  if (options.kind !== "sidecar") usage("--capture is for sidecars: to a gateway nobody's connections are led.");
  if (options.token !== undefined) usage("--token would stand in the text: a captured sidecar reads --token-file.");
  const { namespace, name } = qualifiedName("--workload", options.workload);
  return {
    ...sharedFacts(options),
    capture,
    namespace,
    workload: name,
    controlPlane: controlPlaneOf(options),
    token: tokenFilesOf(options),
    admin: { pipe: options.adminSocket },
    ipFamilies: options.ipFamilies,
  };
}

/** Returns where a captured sidecar has its credential. */
export function tokenFilesOf({ tokenFile, tokenSecretFile }: BootstrapOptions): TokenFiles {
  return { tokenFile, secretFile: tokenSecretFile };
}

/** Returns the parts of NAMESPACE/NAME. Fails with a sentence for other text, and for none. */
export function qualifiedName(option: string, text: string | undefined) {
  const [, namespace, name] = /^([^/]+)\/([^/]+)$/.exec(text ?? "") ?? [];
  if (namespace === undefined || name === undefined)
    throw commandFailure(
      "usage",
      text === undefined ? `${option} NAMESPACE/NAME is missing.` : `${option} ${text}: write NAMESPACE/NAME.`,
    );
  return { namespace, name };
}

function sharedFacts(options: BootstrapOptions) {
  const labels = options.label.map((text): readonly [string, string] => {
    const [, key = "", value = ""] = /^([^=]+)=(.*)$/.exec(text) ?? usage(`--label ${text}: write NAME=VALUE.`);
    return [key, value];
  });
  return {
    serviceAccount: options.serviceAccount,
    labels: Object.fromEntries(labels),
    trustDomain: options.trustDomain,
    clusterId: CLUSTER_ID,
    version: SCRIM_VERSION,
    metricLabels: LABELS,
    extraStatTags: options.statTag,
  };
}

function controlPlaneOf(options: BootstrapOptions) {
  return {
    at: parseAddress(options.xdsAddress) ?? usage(`--xds-address ${options.xdsAddress}: write HOST:PORT.`),
    rootCertificateFile: options.rootCert ?? join(options.stateDir, "ca", "root-cert.pem"),
    serverName: CONTROL_PLANE_SERVER_NAME,
  };
}

function usage(message: string): never {
  throw commandFailure("usage", message);
}
