// Whether a workload's process answers: its readinessProbe, or a TCP accept on each of its ports.
import type { ProbeSpec } from "../model/kinds/pod.ts";
import { acceptsTcp, httpCall } from "./http-call.ts";
import type { PodRecord } from "./pod-record.ts";

/** One check of the process: what to ask, where, and how long to wait. */
export type Check =
  | { readonly kind: "http"; readonly port: number; readonly path: string; readonly timeoutMs: number }
  | { readonly kind: "tcp"; readonly port: number; readonly timeoutMs: number };

/** How often to check, and how many failures in a row make a ready pod unready. */
export interface ProbePlan { readonly checks: readonly Check[]; readonly periodMs: number; readonly failureThreshold: number }

/** Returns the checks of a pod, on the ports where its process listens (Kubernetes' defaults: 1 s, every 10 s, 3 failures). */
export function planProbe(pod: PodRecord, probe: ProbeSpec | undefined): ProbePlan {
  const timeoutMs = (probe?.timeoutSeconds ?? 1) * 1_000;
  return {
    checks: planChecks(pod, probe, timeoutMs),
    periodMs: (probe?.periodSeconds ?? 10) * 1_000,
    failureThreshold: probe?.failureThreshold ?? 3,
  };
}

function planChecks(pod: PodRecord, probe: ProbeSpec | undefined, timeoutMs: number): readonly Check[] {
  if (probe?.httpGet !== undefined) {
    const port = appPort(pod, probe.httpGet.port);
    // A process that speaks TLS itself is asked only whether it accepts: its certificate is not ours to judge.
    if (port !== undefined) return [probe.httpGet.scheme === "HTTPS" ? { kind: "tcp", port, timeoutMs } : { kind: "http", port, path: probe.httpGet.path || "/", timeoutMs }];
  }
  if (probe?.tcpSocket !== undefined) {
    const port = appPort(pod, probe.tcpSocket.port);
    if (port !== undefined) return [{ kind: "tcp", port, timeoutMs }];
  }
  return pod.ports.flatMap(({ app }) => (app ? [{ kind: "tcp" as const, port: app.port, timeoutMs }] : []));
}

function appPort(pod: PodRecord, wanted: number | string): number | undefined {
  return pod.ports.find(({ name, port }) => port === Number(wanted) || name === wanted)?.app?.port;
}

/** Returns true when every check succeeds now. */
export async function answers(checks: readonly Check[]): Promise<boolean> {
  const results = await Promise.all(checks.map(async (check) => {
    if (check.kind === "tcp") return acceptsTcp("127.0.0.1", check.port, check.timeoutMs);
    const { status } = await httpCall({ host: "127.0.0.1", port: check.port, path: check.path, timeoutMs: check.timeoutMs });
    return status >= 200 && status < 400;
  }));
  return results.every(Boolean);
}
