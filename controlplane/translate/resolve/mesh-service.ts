// What the registry knows of one host: its ports, and the addresses behind them.
import type { Labels } from "../../model/labels.ts";
import type { Endpoint, ServiceRef } from "../ir/upstream.ts";
import type { PortProtocol } from "./protocol.ts";

export interface MeshPort {
  readonly number: number;
  readonly name: string;
  readonly protocol: PortProtocol;
}

/** An address behind a port, with the labels that subsets choose by. */
export interface Backend {
  readonly endpoint: Endpoint;
  readonly labels: Labels;
}

/** One host of the mesh, as one object declares it. */
export interface MeshService {
  /** Fully qualified, lower case; may begin with `*` for ServiceEntries. */
  readonly host: string;
  readonly ref: ServiceRef;
  readonly declaredBy: "Service" | "ServiceEntry";
  readonly ports: readonly MeshPort[];
  /** IP addresses by which clients may ask for it. */
  readonly addresses: readonly string[];
  /** CIDR blocks of such addresses. */
  readonly subnets: readonly string[];
  /** It has no address of its own: clients choose one behind it. */
  readonly isHeadless: boolean;
  readonly exportTo: readonly string[] | undefined;
  /** Part of the mesh, not of the world outside. */
  readonly internal: boolean;
  readonly anySource: boolean;
  /**
   * `oneByDns`: one address of those a name has; `forward`: where the client was going, which where it named a host
   * alone is what that resolves to; `byRequest`: what the host that it asks for resolves to, wherever it was going.
   */
  readonly discovery: "endpoints" | "dns" | "oneByDns" | "forward" | "byRequest";
  /** Who may answer for it: identities of the mesh, and names of other kinds that a ServiceEntry gives. */
  readonly identities: readonly string[];
  /** By port number, sorted by address. */
  readonly backends: ReadonlyMap<number, readonly Backend[]>;
}
