// How far what is served has come: what the xDS server knows of those who are connected.
import type { XdsServer } from "./server.ts";

/** Who is connected and how much of what is served each has acknowledged; and what one of them holds. */
export type Reach = Pick<XdsServer, "status" | "progress" | "held">;

/** As long as nothing is served. */
export const REACHES_NOBODY: Reach = {
  status: () => [],
  progress: () => ({ proxies: 0, settled: 0 }),
  held: () => undefined,
};
