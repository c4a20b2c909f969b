// What is aimed at, by size of the mesh, and whether it was met.

/** What one kind of change took, over all its times. */
export interface Measured {
  readonly p99Ms: number;
  readonly lastMs: number;
  /** Of the control plane's process; the median over the times. */
  readonly cpuMs: number;
  /** Of all gRPC messages; the median over the times. */
  readonly bytes: number;
  /** The worst time's. */
  readonly loopDelayP99Ms: number;
}

export type ChangeName = "one VirtualService" | "one endpoint" | "MeshConfig";
export type PhaseName = "connect all" | ChangeName | `${ChangeName}, at first`;

type Limits = Partial<Measured>;

/** For 500 services unless another number is given: at so many proxies. */
const targets: readonly {
  readonly proxies: number;
  readonly services: number;
  readonly phases: Readonly<Partial<Record<PhaseName, Limits>>>;
  readonly peakBytes?: number;
}[] = [
  { proxies: 100, services: 500, phases: { "one VirtualService": { p99Ms: 150, cpuMs: 40, bytes: 1e6 } } },
  {
    proxies: 500,
    services: 500,
    peakBytes: 0.6e9,
    phases: {
      "connect all": { lastMs: 6_000, cpuMs: 9_000 },
      "one VirtualService": { p99Ms: 260, cpuMs: 200, bytes: 3e6 },
      "one endpoint": { p99Ms: 120 },
    },
  },
  {
    proxies: 1_000,
    services: 1_000,
    phases: {
      "connect all": { loopDelayP99Ms: 100 },
      "one VirtualService": { loopDelayP99Ms: 100 },
      "one endpoint": { loopDelayP99Ms: 100 },
    },
  },
];

const words: Readonly<Record<keyof Measured, (value: number) => string>> = {
  p99Ms: (ms) => `p99 ${ms.toFixed(0)} ms`,
  lastMs: (ms) => `last ${ms.toFixed(0)} ms`,
  cpuMs: (ms) => `CPU ${ms.toFixed(0)} ms`,
  bytes: (bytes) => `${(bytes / 1e6).toFixed(1)} MB`,
  loopDelayP99Ms: (ms) => `loop ${ms.toFixed(0)} ms`,
};

/**
 * Returns for each target of this phase at this size whether it was met, as `p99 150 ms met` or `CPU 40 ms MISSED`; ""
 * where nothing is aimed at.
 */
export function judge(
  size: { readonly proxies: number; readonly services: number },
  phase: PhaseName,
  measured: Measured,
): string {
  const limits =
    targets.find(({ proxies, services }) => proxies === size.proxies && services === size.services)?.phases[phase] ??
    {};
  return (Object.keys(words) as (keyof Measured)[])
    .flatMap((name) => {
      const limit = limits[name];
      return limit === undefined ? [] : [`${words[name](limit)} ${measured[name] <= limit ? "met" : "MISSED"}`];
    })
    .join(", ");
}

/** The same for the peak of memory, in bytes. */
export function judgeMemory(size: { readonly proxies: number; readonly services: number }, peakBytes: number): string {
  const limit = targets.find(
    ({ proxies, services }) => proxies === size.proxies && services === size.services,
  )?.peakBytes;
  return limit === undefined ? "" : ` (target ${(limit / 1e9).toFixed(1)} GB ${peakBytes <= limit ? "met" : "MISSED"})`;
}

/** The sizes that are run when none is asked for. */
export const sizes: readonly { readonly proxies: number; readonly services: number }[] = targets.map(
  ({ proxies, services }) => ({ proxies, services }),
);
