// A TCP relay that can fall silent, as a network does that loses every packet: nothing arrives, and nobody is told that
// it does not.
import { connect, createServer, type Socket } from "node:net";

/** What passed since the last time it was asked. */
export interface Passed {
  /** From the side that is relayed to. */
  readonly bytesDown: number;
  readonly bytesUp: number;
  readonly connections: number;
}

export interface Relay {
  readonly port: number;
  /** Loses everything from now on, in open connections and in new ones, and closes none. */
  fallSilent(): void;
  /** What was under way arrives now, if anybody still waits for it; connections that were tried meanwhile are reset. */
  heal(): void;
  /** Returns what passed (new connections: also those that were not let through) since the last call. */
  take(): Passed;
  close(): Promise<void>;
}

/** Listens on a free port of 127.0.0.1 and relays to another one, which need not listen yet. */
export async function startRelay(targetPort: number): Promise<Relay> {
  const pairs = new Set<readonly [Socket, Socket]>();
  const lost = new Set<Socket>();
  let isSilent = false;
  let passed = { bytesDown: 0, bytesUp: 0, connections: 0 };

  /** A connection that is tried meanwhile: what it says is lost, and it gets no word. */
  function lose(socket: Socket): void {
    lost.add(socket);
    socket
      .resume()
      .once("end", () => socket.destroy())
      .once("close", () => lost.delete(socket))
      .on("error", () => undefined);
  }

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    passed.connections++;
    if (isSilent) return lose(near);
    const far = connect({ host: "127.0.0.1", port: targetPort, allowHalfOpen: true, noDelay: true });
    const pair = [near, far] as const;
    pairs.add(pair);
    near.on("data", (bytes) => (passed.bytesUp += bytes.length));
    far.on("data", (bytes) => (passed.bytesDown += bytes.length));
    join(near, far, () => pairs.delete(pair));
  });
  await new Promise<void>((resolve, reject) => void server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    fallSilent() {
      isSilent = true;
      for (const [near, far] of pairs) {
        near.unpipe(far).pause();
        far.unpipe(near).pause();
      }
    },
    heal() {
      isSilent = false;
      for (const socket of lost) socket.resetAndDestroy();
      for (const [near, far] of pairs) near.pipe(far).pipe(near);
    },
    take() {
      const taken = passed;
      passed = { bytesDown: 0, bytesUp: 0, connections: 0 };
      return taken;
    },
    async close() {
      for (const socket of [...pairs].flat()) socket.destroy();
      for (const socket of lost) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** What one says the other hears, and the end of one is the end of both. */
function join(near: Socket, far: Socket, gone: () => void): void {
  for (const [one, other] of [
    [near, far],
    [far, near],
  ] as const) {
    one.on("error", () => undefined);
    one.once("close", () => {
      gone();
      other.destroy();
    });
  }
  near.pipe(far).pipe(near);
}
