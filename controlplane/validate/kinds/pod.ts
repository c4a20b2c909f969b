// What a Deployment and a Pod must mean.
import { isIP } from "node:net";
import type { FieldPath } from "../../model/document.ts";
import {
  type ContainerSpec,
  type DeploymentSpec,
  type JobSpec,
  ENGINE_ANNOTATION,
  LOCAL_COMMAND,
  type PodSpec,
} from "../../model/kinds/pod.ts";
import { PROXY_CONFIG_ANNOTATION } from "../../model/kinds/proxy-config.ts";
import { labelsMatch } from "../../model/labels.ts";
import { type CheckContext, each, type Loose, noDuplicates, report } from "../checks.ts";
import { quote } from "../formats.ts";
import { objectNameFault } from "../names.ts";
import { readProxyConfig } from "../proxy-config.ts";
import type { Findings } from "../violation.ts";

/** Checks a Deployment. */
export function checkDeployment(spec: Loose<DeploymentSpec>, at: FieldPath, findings: Findings): void {
  const labels = compact(spec.template?.metadata?.labels);
  if (!labelsMatch(compact(spec.selector?.matchLabels), labels))
    findings.error([...at, "selector", "matchLabels"], "does not match the labels of the pod template");
  checkTemplate(spec.template, at, findings);
}

/** Checks a Job. */
export function checkJob(spec: Loose<JobSpec>, at: FieldPath, findings: Findings): void {
  const { completions, parallelism = 1 } = spec;
  if (completions !== undefined && completions > parallelism)
    findings.warn([...at, "parallelism"], `has no effect where the Job is run: its ${completions} pods run at once`);
  checkTemplate(spec.template, at, findings);
}

function checkTemplate(template: Loose<DeploymentSpec>["template"], at: FieldPath, findings: Findings): void {
  const command = template?.metadata?.annotations?.[LOCAL_COMMAND];
  if (command?.trim() === "")
    findings.error([...at, "template", "metadata", "annotations", LOCAL_COMMAND], "must not be empty");
  checkEngine(
    template?.metadata?.annotations?.[ENGINE_ANNOTATION],
    [...at, "template", "metadata", "annotations", ENGINE_ANNOTATION],
    findings,
  );
  const settings = template?.metadata?.annotations?.[PROXY_CONFIG_ANNOTATION];
  if (settings !== undefined)
    readProxyConfig(settings, [...at, "template", "metadata", "annotations", PROXY_CONFIG_ANNOTATION], findings);
  if (template?.spec !== undefined) checkContainers(template.spec, [...at, "template", "spec"], findings);
}

function checkEngine(engine: string | undefined, at: FieldPath, findings: Findings): void {
  if (engine !== undefined && engine !== "wasm" && engine !== "native")
    findings.error(at, `must be wasm or native, not ${quote(engine)}`);
}

/** Checks a Pod. */
export function checkPod(spec: Loose<PodSpec>, at: FieldPath, findings: Findings, context: CheckContext): void {
  checkContainers(spec, at, findings);
  checkEngine(context.annotations[ENGINE_ANNOTATION], ["metadata", "annotations", ENGINE_ANNOTATION], findings);
  const address = spec.status?.podIP;
  if (address !== undefined && address !== "" && isIP(address) === 0)
    findings.error(["status", "podIP"], `is not an IP address: ${quote(address)}`);
}

function checkContainers(
  spec: Pick<Loose<PodSpec>, "containers" | "serviceAccountName">,
  at: FieldPath,
  findings: Findings,
): void {
  if (spec.serviceAccountName !== undefined && spec.serviceAccountName !== "")
    report(findings, [...at, "serviceAccountName"], objectNameFault(spec.serviceAccountName));
  noDuplicates(spec.containers, [...at, "containers"], (container) => container.name, "container", findings, ["name"]);
  each(spec.containers, [...at, "containers"], (container, path) => checkContainer(container, path, findings));
}

function checkContainer(container: Loose<ContainerSpec>, at: FieldPath, findings: Findings): void {
  noDuplicates(
    container.ports,
    [...at, "ports"],
    (port) => (port.containerPort === undefined ? undefined : `${port.containerPort}/${port.protocol ?? "TCP"}`),
    "port",
    findings,
    ["containerPort"],
  );
  noDuplicates(container.ports, [...at, "ports"], (port) => port.name, "port name", findings, ["name"]);
  each(container.env, [...at, "env"], (variable, path) => {
    if (variable.name?.includes("="))
      findings.error([...path, "name"], `is no name of an environment variable: ${quote(variable.name)}`);
  });
}

function compact(map: Readonly<Record<string, string | undefined>> | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries(map ?? {}).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
