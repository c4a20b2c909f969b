// Opens a port, or says in one sentence why it cannot be had and what to do.
import type { Server } from "node:net";
import { type Failure, failed, ScrimError } from "../model/failure.ts";
import type { ListenAddress, SocketAddress } from "../model/socket-address.ts";
import { describeHolder, findPortHolder } from "./port-holder.ts";

export type ListenFailureCode = "address-taken" | "address-forbidden" | "address-not-here" | "cannot-listen";

/**
 * Opens a server; resolves to where it listens. Throws ScrimError<ListenFailureCode> with a sentence for the user; then
 * the server may be tried again.
 */
export async function listen(server: Server, { address, port, option }: ListenAddress): Promise<SocketAddress> {
  const error = await tryListening(server, { address, port });
  if (error !== undefined) {
    const { code, message } = await explainListening(error, `Port ${port} of ${option ?? address}`, { address, port });
    throw new ScrimError(code, message, { cause: error });
  }
  const bound = server.address();
  return { address, port: typeof bound === "object" && bound !== null ? bound.port : port };
}

/** Opens a server; resolves to what prevented it, undefined when it listens. */
export function tryListening(
  server: Server,
  { address, port }: SocketAddress,
): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    server.once("error", resolve);
    server.listen({ host: address, port, exclusive: true }, () => {
      server.removeListener("error", resolve);
      resolve(undefined);
    });
  });
}

/**
 * Returns why an address could not be listened on. The sentence begins with `subject`, as in
 * `Port 80 of --admin-address`.
 */
export async function explainListening(
  error: Pick<NodeJS.ErrnoException, "code" | "message">,
  subject: string,
  { address, port }: SocketAddress,
): Promise<Failure<ListenFailureCode>> {
  switch (error.code) {
    case "EADDRINUSE": {
      const by = describeHolder(await findPortHolder(port, address));
      return failed(
        "address-taken",
        `${subject} is taken by ${by}: end that process, or ask for another port (0 picks a free one).`,
      );
    }
    case "EACCES":
    case "EPERM":
      return failed("address-forbidden", `${subject} may not be opened by this user: ask for a port from 1024 on.`);
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return failed(
        "address-not-here",
        `${subject} cannot be opened, for ${address} is no address of this machine: ` +
          "ask for one that is, as 127.0.0.1, or for 0.0.0.0, which is all of them.",
      );
    default:
      return failed("cannot-listen", `${subject} cannot be opened: ${error.message}.`);
  }
}
