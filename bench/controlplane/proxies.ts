// consumes: a control plane's address and the identities of proxies
// produces: these proxies, simulated in a process of their own, and when a change reached each
// never does: wait without end
import { fileURLToPath } from "node:url";
import { endChild, startChild } from "../../test/support/children.ts";
import type { Arrivals, FromClients, ToClients } from "./messages.ts";

const PATIENCE_MS = 600_000;

export interface SimulatedProxies {
  /** Connects all; resolves when each has everything. Rejects when a stream ends or it takes too long. */
  connect(order: Omit<Extract<ToClients, { kind: "connect" }>, "kind">): Promise<Arrivals>;
  /** Does the change, which names the resource it changes, and resolves when all proxies have it. */
  after(resource: string, change: () => void): Promise<Arrivals>;
  close(): Promise<void>;
}

/** Starts the process. */
export function startProxies(): SimulatedProxies {
  const child = startChild(
    process.execPath,
    ["--max-old-space-size=4096", "--max-semi-space-size=64", fileURLToPath(new URL("./clients.mjs", import.meta.url))],
    { stdio: ["ignore", "inherit", "inherit", "ipc"] },
  );
  const tell = (message: ToClients): void => void child.send(message);
  const next = (kind: "armed" | "arrived"): Promise<FromClients> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => settle(new Error("the proxies did not all get what they should")), PATIENCE_MS);
      const settle = (outcome: FromClients | Error): void => {
        clearTimeout(timer);
        child.off("message", onMessage);
        child.off("exit", onExit);
        if (outcome instanceof Error) reject(outcome);
        else resolve(outcome);
      };
      const onExit = (): void => settle(new Error("the process of the proxies ended"));
      const onMessage = (message: FromClients): void => {
        if (message.kind === "failed") settle(new Error(message.reason));
        else if (message.kind === kind) settle(message);
      };
      child.on("message", onMessage);
      child.once("exit", onExit);
    });
  const arrivals = async (): Promise<Arrivals> => {
    const message = await next("arrived");
    if (message.kind !== "arrived") throw new Error("not what was waited for");
    return message.arrivals;
  };
  return {
    connect(order) {
      tell({ kind: "connect", ...order });
      return arrivals();
    },
    async after(resource, change) {
      const armed = next("armed");
      tell({ kind: "expect", resource });
      await armed;
      const arrived = arrivals();
      change();
      return arrived;
    },
    close: () => endChild(child),
  };
}
