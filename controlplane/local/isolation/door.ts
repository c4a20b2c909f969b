// A door between two networks: connections that come to one address go on to another.
import { connect, createServer, type Server } from "node:net";
import { chmod } from "node:fs/promises";
import { ScrimError } from "../../model/failure.ts";
import type { SocketAddress } from "../../model/socket-address.ts";

/** A Unix socket, which is reached from every network. */
export interface PipePath {
  readonly path: string;
}

export interface Door {
  close(): Promise<void>;
}

const EVERYBODY = 0o666;

/** Opens a door; who may come to a socket's path may use it. Throws ScrimError when it cannot be had. */
export async function openDoor(at: SocketAddress | PipePath, to: SocketAddress | PipePath): Promise<Door> {
  const server = createServer({ allowHalfOpen: true }, (from) => {
    const on = connect({ ...target(to), allowHalfOpen: true });
    from.on("error", () => on.destroy());
    on.on("error", () => from.destroy());
    from.on("close", () => on.destroy());
    on.on("close", () => from.destroy());
    from.pipe(on);
    on.pipe(from);
  });
  await listen(server, at);
  if ("path" in at) await chmod(at.path, EVERYBODY);
  server.unref();
  return { close: () => new Promise((resolve) => server.close(() => resolve())) };
}

function listen(server: Server, at: SocketAddress | PipePath): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) =>
      reject(new ScrimError("cannot-isolate", `a door cannot be opened: ${error.message}`, { cause: error })),
    );
    server.listen(target(at), resolve);
  });
}

function target(at: SocketAddress | PipePath) {
  return "path" in at ? { path: at.path } : { host: at.address, port: at.port };
}
