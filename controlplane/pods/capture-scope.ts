// Consumes: Istio's annotations of a pod that say which of its connections its proxy sees.
// Produces: the ports, ranges and interfaces, and what of it is not written as it must be.
// Never does: guess: what is not understood counts as not written, and is told.
import { parseRange } from "../model/address-range.ts";
import type { Labels } from "../model/labels.ts";
import type { CaptureMode } from "./annotations.ts";

/** Which of a pod's connections go through its proxy. */
export interface CaptureScope {
  readonly inbound: InboundScope;
  readonly outbound: OutboundScope;
  /** Network interfaces whose traffic is left alone in both directions. */
  readonly exceptInterfaces: readonly string[];
  /** Interfaces behind which somebody else's programs run (a virtual machine): what comes in there goes out. */
  readonly outboundInterfaces: readonly string[];
}

/** Which ports of the pod are reached through the proxy. */
export interface InboundScope {
  readonly ports: "all" | readonly number[];
  readonly exceptPorts: readonly number[];
}

/** Which connections of the pod go out through the proxy; ranges in CIDR form, of both families. */
export interface OutboundScope {
  readonly ranges: "all" | readonly string[];
  readonly exceptRanges: readonly string[];
  /** Captured even where their address is in none of the ranges. */
  readonly ports: readonly number[];
  readonly exceptPorts: readonly number[];
}

/** What a pod's annotations ask for; `mode` is undefined where they do not say, "NONE" where nothing is captured. */
export interface AskedCapture extends CaptureScope {
  readonly mode: CaptureMode | "NONE" | undefined;
  /** A sentence for each annotation that says nothing that can be followed. */
  readonly problems: readonly string[];
}

const TRAFFIC = "traffic.sidecar.istio.io/";
const INTERCEPTION_MODE = "sidecar.istio.io/interceptionMode";
const REROUTED_INTERFACES = "istio.io/reroute-virtual-interfaces";
const HIGHEST_PORT = 65_535;

/** Returns what the annotations ask for; without any, everything is captured. */
export function parseCaptureScope(annotations: Labels): AskedCapture {
  const problems: string[] = [];
  const list = <T>(name: string, parse: (item: string) => T | undefined, what: string): readonly T[] =>
    itemsOf(annotations[name]).flatMap((item) => {
      const parsed = parse(item);
      if (parsed === undefined) problems.push(`${name}: ${item} is not ${what}`);
      return parsed === undefined ? [] : [parsed];
    });
  const allOr = <T>(name: string, parse: (name: string) => readonly T[]): "all" | readonly T[] =>
    (annotations[name] ?? "*").trim() === "*" ? "all" : parse(name);
  const ports = (name: string) => list(name, parsePort, "a port");
  const ranges = (name: string) => list(name, parseRange, "a range of addresses");
  const interfaces = (name: string) => list(name, parseInterface, "the name of a network interface");
  return {
    mode: parseMode(annotations[INTERCEPTION_MODE], problems),
    inbound: {
      ports: allOr(`${TRAFFIC}includeInboundPorts`, ports),
      exceptPorts: ports(`${TRAFFIC}excludeInboundPorts`),
    },
    outbound: {
      ranges: allOr(`${TRAFFIC}includeOutboundIPRanges`, ranges),
      exceptRanges: ranges(`${TRAFFIC}excludeOutboundIPRanges`),
      ports: ports(`${TRAFFIC}includeOutboundPorts`),
      exceptPorts: ports(`${TRAFFIC}excludeOutboundPorts`),
    },
    exceptInterfaces: interfaces(`${TRAFFIC}excludeInterfaces`),
    outboundInterfaces: [...interfaces(REROUTED_INTERFACES), ...interfaces(`${TRAFFIC}kubevirtInterfaces`)],
    problems,
  };
}

function itemsOf(text: string | undefined): readonly string[] {
  return (text ?? "").split(",").flatMap((item) => item.trim() || []);
}

function parsePort(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= HIGHEST_PORT ? port : undefined;
}

/** Linux takes any 15 characters but white space and `/`; these are all that anybody uses, and safe in a rule. */
function parseInterface(text: string): string | undefined {
  return /^[A-Za-z0-9][A-Za-z0-9_.:@-]{0,14}$/.test(text) ? text : undefined;
}

function parseMode(text: string | undefined, problems: string[]): AskedCapture["mode"] {
  if (text === undefined || text === "") return undefined;
  if (text === "REDIRECT" || text === "TPROXY" || text === "NONE") return text;
  problems.push(`${INTERCEPTION_MODE}: ${text} is none of REDIRECT, TPROXY and NONE`);
  return undefined;
}
