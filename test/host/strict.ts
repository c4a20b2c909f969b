/** What a stream's callback may cost at most, beyond what Envoy itself demands. Starting and configuring are free. */
export interface StrictLimits {
  /** Host calls in one callback. */
  readonly hostCalls?: number;
  /** Values the host hands over in one callback: each enters the module's allocator. */
  readonly allocations?: number;
  /** Bytes of those values. */
  readonly allocatedBytes?: number;
  /** After so many ended streams a VM's memory may not grow any more; default 100. */
  readonly warmUpStreams?: number;
}

/** What one callback cost. */
export interface CallbackCost {
  hostCalls: number;
  allocations: number;
  allocatedBytes: number;
}

const FREE = new Set(["start", "_initialize", "_start", "proxy_on_vm_start", "proxy_on_configure"]);

const UNITS = {
  hostCalls: "host calls",
  allocations: "values from the host",
  allocatedBytes: "bytes from the host",
} as const;

/**
 * One sentence for each limit that a callback went beyond: what was expected, what happened, the calls that led there.
 */
export function costProblems(
  limits: StrictLimits,
  callback: string,
  worker: number,
  cost: CallbackCost,
  calls: readonly string[],
): string[] {
  if (FREE.has(callback)) return [];
  return (Object.keys(UNITS) as (keyof typeof UNITS)[]).flatMap((key) => {
    const limit = limits[key];
    if (limit === undefined || cost[key] <= limit) return [];
    const which = calls.length < cost.hostCalls ? `the last ${calls.length} calls` : "its calls";
    return [
      `${callback} on worker ${worker}: expected at most ${limit} ${UNITS[key]}, it took ${cost[key]}; ` +
        `${which}: ${calls.join(", ")}`,
    ];
  });
}
