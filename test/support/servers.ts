// Servers of a test's own on this machine.
import type { AddressInfo, Server } from "node:net";

/** Has a server listen on a free port of 127.0.0.1, which is returned. */
export function listening(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}
