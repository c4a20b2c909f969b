// What all hosts of a client say of its connections, put together: each address and port belongs to one of them.
import { interned } from "../../world/interned.ts";
import type { CapturedPort, CapturedWay } from "../ir/captured.ts";
import { conditionsOf, disjointWays } from "./disjoint-ways.ts";

/** The ports of one host. */
export interface PortsOfHost {
  readonly host: string;
  /** Its addresses are those of pods, which several services may have. */
  readonly isHeadless: boolean;
  readonly ports: readonly CapturedPort[];
}

export interface MergedPorts {
  readonly ports: readonly CapturedPort[];
  /** Of which connections the earlier of two hosts has them, one sentence each, sorted. */
  readonly notes: readonly string[];
}

/**
 * Returns the ports: of what two hosts say of one address the first is taken; of a port at no address in particular all
 * that can be told apart.
 */
export function mergePorts(hosts: readonly PortsOfHost[]): MergedPorts {
  const anywhere = new Map<number, CapturedPort[]>();
  const placed: CapturedPort[] = [];
  const held = createHolders();
  for (const { host, isHeadless, ports } of hosts) {
    for (const port of ports) {
      if (port.addresses.length === 0) {
        const others = anywhere.get(port.port);
        if (others === undefined) anywhere.set(port.port, [port]);
        else others.push(port);
        for (const way of port.ways) held.noteWay(host, port.port, way);
        continue;
      }
      const free = port.addresses.filter((address) => held.isFree(host, port.port, address, isHeadless));
      if (free.length > 0) placed.push(free.length === port.addresses.length ? port : { ...port, addresses: free });
    }
  }
  const merged = [...anywhere].map(([port, ofHosts]) => joined(port, ofHosts));
  return { ports: [...merged, ...placed].map((port) => onePort(port)), notes: [...held.notes].sort() };
}

/** Who has which connections, and what to say to whoever comes later. */
function createHolders() {
  const addresses = new Map<string, string>();
  const targets = new Map<string, string>();
  const notes = new Set<string>();
  return {
    notes,
    isFree(host: string, port: number, address: string, isHeadless: boolean): boolean {
      const holder = addresses.get(`${address} ${port}`);
      if (holder === undefined) addresses.set(`${address} ${port}`, host);
      else if (!isHeadless)
        notes.add(`port ${port} of ${host}: connections to ${address} go to ${holder}, which was there before`);
      return holder === undefined;
    },
    noteWay(host: string, port: number, way: CapturedWay): void {
      const own = JSON.stringify(way.targets);
      for (const condition of conditionsOf(way)) {
        const place = `${port} ${condition}`;
        if (!targets.has(place)) targets.set(place, own);
        else if (targets.get(place) !== own)
          notes.add(`port ${port} of ${host}: connections cannot be told from those of a host that was there before`);
      }
    },
  };
}

function joined(port: number, ofHosts: readonly CapturedPort[]): CapturedPort {
  const routeTable = ofHosts.find((one) => one.routeTable !== undefined)?.routeTable;
  const ways = disjointWays(ofHosts.flatMap((one) => one.ways));
  const looksUp = ofHosts.some((one) => one.looksUp) && { looksUp: true as const };
  return { addresses: [], port, ...(routeTable !== undefined && { routeTable }), ...looksUp, ways };
}

const onePort = interned(
  (port: CapturedPort) => port,
  (port) => port,
);
