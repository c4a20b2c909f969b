// Consumes: what proxies do not know of the names that programs ask for.
// Produces: the answer of the machine's own resolvers.
// Never does: ask anybody for a name of the mesh: what the proxies do not know of those is not there.
import { createSocket, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import { encodeNoAnswer, questionName } from "./dns-message.ts";

const MESH_DOMAIN = "cluster.local";
const DNS_PORT = 53;
const PATIENCE_MS = 3_000;

/** Answers what comes to the socket until it is closed; `resolvers` are addresses, as `dns.getServers` returns them. */
export function serveNames(socket: Socket, resolvers: () => readonly string[]): void {
  socket.on("error", () => undefined);
  socket.on("message", (question, from) => {
    const reply = (message: Buffer) => socket.send(message, from.port, from.address);
    const name = questionName(question);
    if (name === undefined) return;
    if (name === MESH_DOMAIN || name.endsWith(`.${MESH_DOMAIN}`)) reply(encodeNoAnswer(question, "NXDOMAIN"));
    else
      void askResolver(question, resolvers()[0]).then((answer) =>
        reply(answer ?? encodeNoAnswer(question, "SERVFAIL")),
      );
  });
}

/** Resolves to the answer as it came; undefined when there was none. */
function askResolver(question: Buffer, resolver: string | undefined): Promise<Buffer | undefined> {
  const [, bracketed, plain, port] = /^(?:\[(.+)\]|([^:]+|[0-9a-f:]+?))(?::(\d+))?$/.exec(resolver ?? "") ?? [];
  const address = bracketed ?? plain;
  if (address === undefined) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const asking = createSocket(isIPv6(address) ? "udp6" : "udp4");
    const finish = (answer?: Buffer) => {
      clearTimeout(overdue);
      asking.close();
      resolve(answer);
    };
    const overdue = setTimeout(finish, PATIENCE_MS);
    asking.once("error", () => finish());
    asking.once("message", finish);
    // Connected: what does not come from the resolver is not taken for its answer.
    asking.connect(Number(port ?? DNS_PORT), address, () => asking.send(question));
  });
}
