// Whether a workload's process answers: its readinessProbe, or a TCP accept on its ports.
import type { ProbeSpec } from "../model/kinds/pod.ts";
import type { PodRecord } from "./pod-record.ts";

/** One check of the process: what to ask, where, and how long to wait. */
export type Check =
  | HttpCheck
  | { readonly kind: "tcp"; readonly port: number; readonly timeoutMs: number }
  | { readonly kind: "exec"; readonly command: readonly string[]; readonly timeoutMs: number };

export interface HttpCheck {
  readonly kind: "http";
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

/** How often to check, and how many failures in a row make a ready pod unready. */
export interface ProbePlan {
  readonly checks: readonly Check[];
  /** Checks that a starting pod waits for only for a while: of declared ports, many are documentation. */
  readonly hopes: readonly Check[];
  readonly periodMs: number;
  readonly failureThreshold: number;
}

/** Asks a workload's process. */
export interface Prober {
  /** Whether it accepts connections on this port. */
  tcp(port: number, timeoutMs: number): Promise<boolean>;
  /** The status of its answer; 0 when there was none. */
  http(check: HttpCheck): Promise<number>;
  /** Runs a command as the workload would: true when it exits with 0 within the time. */
  exec(command: readonly string[], timeoutMs: number): Promise<boolean>;
}

/**
 * Returns the checks of a pod, on the ports where its process listens (Kubernetes' defaults: 1 s, every 10 s, 3
 * failures).
 */
export function planProbe(pod: PodRecord, probe: ProbeSpec | undefined): ProbePlan {
  const timeoutMs = (probe?.timeoutSeconds ?? 1) * 1_000;
  const asked = probe && planCheck(pod, probe, timeoutMs);
  const [first, ...others] = pod.ports.flatMap(({ application }) =>
    application ? [{ kind: "tcp" as const, port: application.port, timeoutMs }] : [],
  );
  return {
    checks: asked !== undefined ? [asked] : first !== undefined ? [first] : [],
    hopes: asked !== undefined ? [] : others,
    periodMs: (probe?.periodSeconds ?? 10) * 1_000,
    failureThreshold: probe?.failureThreshold ?? 3,
  };
}

function planCheck(
  pod: PodRecord,
  { httpGet, tcpSocket, grpc, exec }: ProbeSpec,
  timeoutMs: number,
): Check | undefined {
  if (exec?.command !== undefined && exec.command.length > 0) return { kind: "exec", command: exec.command, timeoutMs };
  const wanted = httpGet ?? tcpSocket ?? grpc;
  const port = wanted && appPort(pod, wanted.port);
  if (port === undefined) return undefined;
  // A process that speaks TLS itself is asked only whether it accepts: its certificate is not ours to judge.
  if (httpGet === undefined || httpGet.scheme === "HTTPS") return { kind: "tcp", port, timeoutMs };
  const headers = Object.fromEntries((httpGet.httpHeaders ?? []).map(({ name, value }) => [name, value]));
  return { kind: "http", port, path: httpGet.path || "/", headers, timeoutMs };
}

function appPort(pod: PodRecord, wanted: number | string): number | undefined {
  return pod.ports.find(({ name, port }) => port === Number(wanted) || name === wanted)?.application?.port;
}

/** Returns true when every check succeeds now. */
export async function answers(checks: readonly Check[], prober: Prober): Promise<boolean> {
  const results = await Promise.all(
    checks.map(async (check) => {
      if (check.kind === "tcp") return prober.tcp(check.port, check.timeoutMs);
      if (check.kind === "exec") return prober.exec(check.command, check.timeoutMs);
      const status = await prober.http(check);
      return status >= 200 && status < 400;
    }),
  );
  return results.every(Boolean);
}

/**
 * Returns what waits for the hopes too, but no longer than `patienceMs` after all else succeeded for the first time.
 */
export function createPatientAnswers(
  { checks, hopes }: Pick<ProbePlan, "checks" | "hopes">,
  { prober, nowMs, patienceMs }: { readonly prober: Prober; readonly nowMs: () => number; readonly patienceMs: number },
): () => Promise<boolean> {
  let answeredAtMs: number | undefined;
  let waits = hopes.length > 0;
  return async () => {
    if (!(await answers(checks, prober))) return false;
    answeredAtMs ??= nowMs();
    if (waits && nowMs() - answeredAtMs < patienceMs && !(await answers(hopes, prober))) return false;
    waits = false;
    return true;
  };
}
