// What an Envoy message refers to by name: clusters, endpoints, route configurations, secrets, filter configurations.
import type { AnyMessage, MessageByName } from "../../protos/build/envoy.ts";
import { type MessageName, partsOf, unpackAny } from "../../protos/codec.ts";
import { type FieldPlan, fieldsOf, fullNameOf, typeOf } from "../../protos/schema.ts";
import type { ResourceKind } from "./resources.ts";

/** One name that must resolve for the message to work. */
export interface Reference {
  readonly kind: ResourceKind;
  readonly name: string;
}

type Plain = Readonly<Record<string, unknown>>;
type Collector = (message: Plain, add: (kind: ResourceKind, name: unknown) => void) => void;

/**
 * By full message name: where names of other resources stand. Fields not named here (rate limit services, tracing) are
 * not used by our translators.
 */
const COLLECTORS: Readonly<Record<string, Collector>> = {
  ".envoy.config.cluster.v3.Cluster": (message, add) => {
    const eds = message["edsClusterConfig"] as Plain | undefined;
    if (message["type"] === "EDS") add("endpoints", eds?.["serviceName"] || message["name"]);
  },
  ".envoy.config.route.v3.RouteAction": (message, add) => add("clusters", message["cluster"]),
  ".envoy.config.route.v3.RouteAction.RequestMirrorPolicy": (message, add) => add("clusters", message["cluster"]),
  ".envoy.config.route.v3.WeightedCluster.ClusterWeight": (message, add) => add("clusters", message["name"]),
  ".envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy": (message, add) => add("clusters", message["cluster"]),
  ".envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster.ClusterWeight": (message, add) =>
    add("clusters", message["name"]),
  ".envoy.config.core.v3.GrpcService.EnvoyGrpc": (message, add) => add("clusters", message["clusterName"]),
  ".envoy.config.core.v3.HttpUri": (message, add) => add("clusters", message["cluster"]),
  ".envoy.extensions.filters.network.http_connection_manager.v3.Rds": (message, add) =>
    add("routes", message["routeConfigName"]),
  ".envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter": (message, add) => {
    if (message["configDiscovery"] !== undefined) add("extensionConfigs", message["name"]);
  },
  ".envoy.config.listener.v3.Filter": (message, add) => {
    if (message["configDiscovery"] !== undefined) add("extensionConfigs", message["name"]);
  },
  ".envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig": (message, add) => {
    if (message["sdsConfig"] !== undefined) add("secrets", message["name"]);
  },
};

/** Every name the message refers to, once each, also from within packed messages. */
export function collectReferences<N extends MessageName>(name: N, message: MessageByName[N]): readonly Reference[] {
  const found = new Map<string, Reference>();
  visit(typeOf(name), message, (kind, referred) => {
    if (typeof referred === "string" && referred !== "") found.set(`${kind}/${referred}`, { kind, name: referred });
  });
  return [...found.values()];
}

function visit(
  type: ReturnType<typeof typeOf>,
  message: unknown,
  add: (kind: ResourceKind, name: unknown) => void,
): void {
  if (typeof message !== "object" || message === null) return;
  if (fullNameOf(type) === ANY) return visitAny(message as AnyMessage, add);
  const { collect, fields } = planOf(type);
  collect?.(message as Plain, add);
  for (const { name, shape, type: inner } of fields) {
    const value = (message as Plain)[name];
    if (value === undefined) continue;
    if (shape === "single") visit(inner, value, add);
    else for (const item of Object.values(value as object)) visit(inner, item, add);
  }
}

const ANY = ".google.protobuf.Any";

type Type = ReturnType<typeof typeOf>;

/** Of a type what may lead to a name: its collector, and the fields under which one may stand. */
interface Plan {
  readonly collect: Collector | undefined;
  readonly fields: readonly { readonly name: string; readonly shape: FieldPlan["shape"]; readonly type: Type }[];
}

const plans = new WeakMap<Type, Plan>();

function planOf(type: Type): Plan {
  let plan = plans.get(type);
  if (plan === undefined) {
    const fields = innerFields(type).filter((field) => leadsToNames(field.type));
    plans.set(type, (plan = { collect: COLLECTORS[fullNameOf(type)], fields }));
  }
  return plan;
}

function innerFields(type: Type): Plan["fields"] {
  return [...fieldsOf(type).values()].flatMap(({ name, shape, value }) =>
    value.kind === "message" ? [{ name, shape, type: value.type }] : [],
  );
}

const leading = new WeakMap<Type, boolean>();

/** Whether a message of this type may name something, at any depth. Types may hold themselves. */
function leadsToNames(from: Type): boolean {
  let leads = leading.get(from);
  if (leads === undefined) {
    const reached = new Set([from]);
    for (const type of reached) for (const field of innerFields(type)) reached.add(field.type);
    leads = [...reached].some((type) => fullNameOf(type) === ANY || COLLECTORS[fullNameOf(type)] !== undefined);
    leading.set(from, leads);
  }
  return leads;
}

const withinAny = new WeakMap<AnyMessage, readonly Reference[]>();

/** Many messages hold the same packed one. */
function visitAny(any: AnyMessage, add: (kind: ResourceKind, name: unknown) => void): void {
  const parts = partsOf(any);
  if (parts !== undefined) return parts.forEach((part) => visitAny(part, add));
  let within = withinAny.get(any);
  if (within === undefined) {
    const unpacked = unpackAny(any);
    withinAny.set(
      any,
      (within = unpacked.name === undefined ? [] : collectReferences(unpacked.name, unpacked.message)),
    );
  }
  for (const { kind, name } of within) add(kind, name);
}
