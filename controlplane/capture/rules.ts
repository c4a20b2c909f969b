// Consumes: which of a pod's connections its proxy is to see.
// Produces: the text for `iptables-restore --noflush` (and ip6tables-restore) that brings them to it, and the one that
// takes that back.
// Never does: run anything: the text is what an init container gets.
import { type Family, IPV4, IPV6 } from "./family.ts";
import { TPROXY_MARK } from "../model/capture-ports.ts";
import { redirectInbound, tproxyTable } from "./inbound-rules.ts";
import { dnsZones, outboundRules } from "./outbound-rules.ts";
import type { CaptureSettings } from "./settings.ts";
import { applyText, type Table, takeBackText } from "./tables.ts";

/** One family's rules: both texts may be applied any number of times. */
export interface RuleTexts {
  readonly apply: string;
  readonly takeBack: string;
  /** What is needed beside the rules: for TPROXY, and the address from which the proxy calls where there is none. */
  readonly routes: readonly Route[];
}

/** The arguments of `ip` that make an address, a route or a routing rule, and those that take it back. */
export interface Route {
  readonly add: readonly string[];
  readonly remove: readonly string[];
}

export interface CaptureRules {
  readonly ipv4: RuleTexts;
  readonly ipv6: RuleTexts;
}

const TPROXY_ROUTE_TABLE = "133";

/** Returns the rules, in Istio's chains. */
export function captureRules(settings: CaptureSettings): CaptureRules {
  return { ipv4: rulesFor(settings, IPV4), ipv6: rulesFor(settings, IPV6) };
}

function rulesFor(settings: CaptureSettings, family: Family): RuleTexts {
  const tables = tablesFor(settings, family);
  return {
    apply: applyText(tables),
    takeBack: takeBackText(tables),
    routes: [...addressOfProxy(family), ...(settings.mode === "TPROXY" ? tproxyRoutes(family) : [])],
  };
}

function tablesFor(settings: CaptureSettings, family: Family): readonly Table[] {
  const { mode, proxy, exceptInterfaces, outboundInterfaces } = settings;
  const isRedirect = mode === "REDIRECT";
  const nat: Table = {
    name: "nat",
    hooks: {
      PREROUTING: [
        ...exceptInterfaces.map((name) => `-i ${name} -j RETURN`),
        ...outboundInterfaces.map((name) => `-i ${name} -p tcp -j ISTIO_REDIRECT`),
        ...(isRedirect ? ["-p tcp -j ISTIO_INBOUND"] : []),
      ],
      OUTPUT: ["-j ISTIO_OUTPUT"],
    },
    chains: {
      ISTIO_REDIRECT: [`-p tcp -j REDIRECT --to-ports ${proxy.outbound}`],
      ISTIO_IN_REDIRECT: [`-p tcp -j REDIRECT --to-ports ${proxy.inbound}`],
      ISTIO_INBOUND: isRedirect ? redirectInbound(settings, family) : [],
      ISTIO_OUTPUT: outboundRules(settings, family),
    },
  };
  return [...dnsZones(settings, family), ...(isRedirect ? [] : [tproxyTable(settings, family)]), nat];
}

/** 127.0.0.6 is every machine's; ::6 is nobody's until it is made. */
function addressOfProxy({ version, fromProxy }: Family): readonly Route[] {
  if (version === 4) return [];
  const what = [fromProxy, "dev", "lo"];
  return [{ add: ["-6", "address", "replace", ...what, "nodad"], remove: ["-6", "address", "del", ...what] }];
}

/** What carries the mark is for this machine, whatever its address says. */
function tproxyRoutes({ version }: Family): readonly Route[] {
  const route = (kind: "rule" | "route", ...what: readonly string[]): Route => ({
    add: [`-${version}`, kind, "add", ...what],
    remove: [`-${version}`, kind, "del", ...what],
  });
  return [
    route("rule", "fwmark", String(TPROXY_MARK), "lookup", TPROXY_ROUTE_TABLE),
    route("route", "local", "default", "dev", "lo", "table", TPROXY_ROUTE_TABLE),
  ];
}
