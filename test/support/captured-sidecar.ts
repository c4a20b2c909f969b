// A captured pod's sidecar: the text of its bootstrap, the rules of capture, and stock Envoy, as its owner.
import { chownSync, copyFileSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CONTROL_PLANE_SERVER_NAME } from "../../controlplane/bootstrap/bootstrap.ts";
import { buildCapturedBootstrap, buildTokenSecret } from "../../controlplane/bootstrap/captured-bootstrap.ts";
import { openAuthority } from "../../controlplane/ca/authority.ts";
import { captureRules } from "../../controlplane/capture/rules.ts";
import { captureSettings, PROXY_OWNER } from "../../controlplane/capture/settings.ts";
import { spiffeId } from "../../controlplane/model/spiffe.ts";
import type { CaptureMode } from "../../controlplane/pods/annotations.ts";
import { LABELS } from "../../filters/telemetry/labels.ts";
import type { PodPlan } from "./captured-mesh.ts";
import type { TestNamespace } from "./namespaces.ts";

/** Where the control plane of pods in namespaces listens. */
export const CONTROL_PLANE = { address: "10.7.0.2", port: 15_012 };

/** What an Envoy that no control plane serves reads from files. */
export interface SidecarFiles {
  readonly certificate: string;
  readonly key: string;
  readonly rootCertificate: string;
  /** Where its admin page has to listen. */
  readonly adminSocket: string;
}

export interface SidecarPlace {
  readonly namespace: TestNamespace;
  /** The pod's own address. */
  readonly ip: string;
  readonly directory: string;
  /** Where the mesh's authority is. */
  readonly authority: string;
  readonly envoy: string;
}

/** Starts it, with the rules that lead to it; returns its process. */
export function startSidecar(plan: PodPlan, { namespace, ip, directory, authority, envoy }: SidecarPlace): number {
  const at = (name: string): string => join(directory, name);
  copyFileSync(join(authority, "root-cert.pem"), at("root-cert.pem"));
  const capture = plan.capture ?? "REDIRECT";
  const bootstrap = plan.bootstrap
    ? plan.bootstrap(filesOf(plan, directory, authority))
    : ownBootstrap(plan, capture, directory);
  writeAs(at("envoy.json"), JSON.stringify(bootstrap));
  const rules = captureRules(captureSettings({ mode: capture }));
  namespace.run(["iptables-restore", "--noflush"], rules.ipv4.apply);
  namespace.run(["ip6tables-restore", "--noflush"], rules.ipv6.apply);
  for (const { add } of [...rules.ipv4.routes, ...rules.ipv6.routes]) namespace.run(["ip", ...add]);
  const id = `sidecar~${ip}~${plan.name}.default~default.svc.cluster.local`;
  const args = [
    ...["-c", at("envoy.json"), "--service-node", id, "--service-cluster", `${plan.app}.default`],
    ...["--concurrency", "1", "--disable-hot-restart", "-l", "warning", "--file-flush-interval-msec", "10"],
  ];
  const log = openSync(at("envoy.log"), "a");
  // Whoever may not look into the folder of the program may still run it when somebody has opened it for them.
  const asOwner = `exec 9<"$0"; exec setpriv --reuid=${PROXY_OWNER.uid} --regid=${PROXY_OWNER.gid} --clear-groups`;
  const rights = capture === "TPROXY" ? " --inh-caps=+net_admin --ambient-caps=+net_admin" : "";
  const child = namespace.spawn(["bash", "-c", `${asOwner}${rights} /proc/self/fd/9 "$@"`, envoy, ...args], {
    stdio: ["ignore", log, log],
  });
  return child.pid ?? 0;
}

/** As `scrim bootstrap --capture` prints it. */
function ownBootstrap(plan: PodPlan, capture: CaptureMode, directory: string): object {
  const at = (name: string): string => join(directory, name);
  const token = { tokenFile: at("tokens/token"), secretFile: at("xds-token.json") };
  writeAs(token.secretFile, JSON.stringify(buildTokenSecret(token)));
  return buildCapturedBootstrap({
    ...{ capture, namespace: "default", workload: plan.app, serviceAccount: plan.app, labels: { app: plan.app } },
    ...{ trustDomain: "cluster.local", clusterId: "Kubernetes" },
    controlPlane: {
      at: CONTROL_PLANE,
      rootCertificateFile: at("root-cert.pem"),
      serverName: CONTROL_PLANE_SERVER_NAME,
    },
    token,
    admin: { pipe: at("admin.sock") },
    ipFamilies: "dual",
    metricLabels: LABELS,
    extraStatTags: [],
  });
}

function filesOf(plan: PodPlan, directory: string, authority: string): SidecarFiles {
  const at = (name: string): string => join(directory, name);
  const { cert, key } = certificateOf(plan.app, authority);
  writeAs(at("cert-chain.pem"), cert);
  writeAs(at("key.pem"), key);
  return {
    certificate: at("cert-chain.pem"),
    key: at("key.pem"),
    rootCertificate: at("root-cert.pem"),
    adminSocket: at("admin.sock"),
  };
}

/** A certificate of a service account of `default`, by the authority in `directory`. */
export function certificateOf(account: string, directory: string): { readonly cert: string; readonly key: string } {
  const clock = { nowMs: () => Date.now() };
  const opening = openAuthority({ directory, trustDomain: "cluster.local", clock });
  if (opening.kind === "failed") throw new Error(opening.message);
  const { chainPem, keyPem } = opening.authority.issueWorkloadCertificate(
    spiffeId("cluster.local", "default", account),
  );
  return { cert: chainPem, key: keyPem };
}

/** For the sidecar to read. */
export function writeAs(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
  chownSync(path, PROXY_OWNER.uid, PROXY_OWNER.gid);
}
