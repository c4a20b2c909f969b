// Consumes: the ports the gateways want and what the user asked for.
// Produces: a port on 127.0.0.1 for each, kept while the mesh runs.
// Never does: give one port to two gateways.
import { explainListening, type ListenFailureCode } from "../listen/listen.ts";
import { describeHolder, findPortHolder } from "../listen/port-holder.ts";
import type { Failure } from "../model/failure.ts";
import type { SocketAddress } from "../model/socket-address.ts";
import type { AskedAddress } from "../settings/address.ts";
import type { ListenPort } from "../pods/listen-port.ts";
import { type ClaimedPort, claimAnyPort, claimPort, claimPortFrom, listeningFault } from "./ports.ts";
import type { RouterPlan, RouterPort } from "../pods/gateway-plan.ts";

export interface GatewayPorts {
  /**
   * Returns the router's ports with the local address each listens on. Keeps what it gave before; says which defaults
   * gave way.
   */
  assign(router: RouterPlan): Promise<readonly ListenPort[]>;
  /** Gives back the ports of a gateway proxy that is gone. */
  release(router: { readonly namespace: string; readonly name: string }): void;
}

export type AskedPort = { readonly kind: "claimed"; readonly claimed: ClaimedPort } | Failure<ListenFailureCode>;

const ANY_ADDRESS = "0.0.0.0";
const UNPRIVILEGED_OFFSET = 8_000;

/** Returns the local port for a Gateway's port: below 1024 it moves up by 8000, for those need root. */
export function defaultLocalPort(port: number): number {
  return port < 1_024 ? port + UNPRIVILEGED_OFFSET : port;
}

/** Claims a port that was asked for (0: any free one), or says who has it and what to do. */
export async function claimAskedPort({ option, ...address }: AskedAddress): Promise<AskedPort> {
  const { port } = address;
  const claimed = port === 0 ? await claimAnyPort(Math.random) : await claimPort(port, address.address);
  if (claimed) return { kind: "claimed", claimed };
  // Where nothing prevents it, another mesh is about to listen there.
  const fault = (await listeningFault(address)) ?? { code: "EADDRINUSE", message: "claimed" };
  return explainListening(fault, `Port ${port}, asked for by ${option},`, address);
}

/** Claims a default port or the next free one above it, and says so when it had to move. */
export async function claimDefaultPort(what: string, port: number, say: (line: string) => void): Promise<ClaimedPort> {
  const claimed = await claimPortFrom(port);
  if (claimed.port !== port) {
    const holder = await findPortHolder(port);
    const by = holder === undefined ? "" : ` by ${describeHolder(holder)}`;
    say(`port ${port} is taken${by}: ${what} is on ${claimed.port} instead`);
  }
  return claimed;
}

/**
 * Returns the bookkeeping. `asked` is for the first HTTP port of all gateways. `machine` is this machine's network
 * namespace, where gateways have a network of their own: there they listen on their Gateways' ports, and here besides.
 */
export function createGatewayPorts(
  asked: ClaimedPort | undefined,
  say: (line: string) => void,
  machine?: string,
): GatewayPorts {
  const given = new Map<string, ClaimedPort>();
  let first = asked;

  async function claimFor(router: RouterPlan, port: RouterPort): Promise<ClaimedPort> {
    if (port.protocol === "HTTP" && first !== undefined) {
      const claimed = first;
      first = undefined;
      return claimed;
    }
    return claimDefaultPort(`gateway ${router.name}'s port ${port.port}`, defaultLocalPort(port.port), say);
  }

  function place({ port }: RouterPort, local: SocketAddress): Pick<ListenPort, "bind" | "published"> {
    if (machine === undefined) return { bind: local };
    return { bind: { address: ANY_ADDRESS, port }, published: { ...local, networkNamespace: machine } };
  }

  return {
    async assign(router) {
      const ports: ListenPort[] = [];
      for (const port of router.ports) {
        const key = `${router.namespace}/${router.name}/${port.port}`;
        const claimed = given.get(key) ?? (await claimFor(router, port));
        given.set(key, claimed);
        ports.push({ name: port.name, port: port.port, ...place(port, { address: "127.0.0.1", port: claimed.port }) });
      }
      return ports;
    },
    release({ namespace, name }) {
      for (const [key, { claim }] of given) {
        if (!key.startsWith(`${namespace}/${name}/`)) continue;
        claim.release();
        given.delete(key);
      }
    },
  };
}
