// consumes: orders of the bench's main process
// produces: simulated proxies in this process, and when each had what was waited for
// never does: outlive its parent
import { machineMs } from "../load/messages.ts";
import { openDeltaClient } from "./delta-client.ts";
import type { FromClients, ToClients } from "./messages.ts";

const tell = (message: FromClients): void => void process.send?.(message);

/** What is waited for now; "" stands for being complete. */
const waiting = { resource: "", proxies: 0, atMs: new Map<number, number>(), bytes: 0 };

/**
 * Proxies that are connecting at the same time: more than this one process can read for would seem to the control plane
 * not to read at all.
 */
const AT_ONCE = 100;

function arrive(index: number): void {
  if (waiting.atMs.has(index)) return;
  waiting.atMs.set(index, machineMs());
  if (waiting.atMs.size === waiting.proxies)
    tell({ kind: "arrived", arrivals: { atMs: [...waiting.atMs.values()], bytes: waiting.bytes } });
}

function expect(resource: string): void {
  waiting.resource = resource;
  waiting.atMs.clear();
  waiting.bytes = 0;
}

process.on("message", (message: ToClients) => {
  if (message.kind === "expect") {
    expect(message.resource);
    return tell({ kind: "armed" });
  }
  const { proxies, port, rootPem, serverName } = message;
  const target = { port, tls: { rootPem, serverName } };
  expect("");
  waiting.proxies = proxies.length;
  let next = 0;
  const openNext = (): void => {
    const index = next++,
      proxy = proxies[index];
    if (proxy === undefined) return;
    openDeltaClient({
      target,
      proxy,
      received(names, bytes) {
        waiting.bytes += bytes;
        if (waiting.resource !== "" && names.includes(waiting.resource)) arrive(index);
      },
      complete() {
        arrive(index);
        openNext();
      },
      failed: (reason) => tell({ kind: "failed", reason }),
    });
  };
  for (let opened = 0; opened < AT_ONCE; opened++) openNext();
});
process.on("disconnect", () => process.exit(0));
