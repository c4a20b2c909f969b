// A line to a server of this machine that can be cut and mended.
import { connect, createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

export interface CutLine {
  readonly port: number;
  /** Ends what runs over it, and lets nothing through. */
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

/** Returns a line of its own port to this port, whole. */
export async function createCutLine(to: number): Promise<CutLine> {
  const sockets = new Set<Socket>();
  let isWhole = true;
  const server = createServer((near) => {
    if (!isWhole) return void near.destroy();
    const far = connect(to, "127.0.0.1");
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = (): void => {
    isWhole = false;
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    mend: () => {
      isWhole = true;
    },
    async close() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
