// What an object protects, and what keeps it closed when what it says cannot be enforced. Pure.
import type { MeshObject, ObjectRef } from "../model/object.ts";
import type { Origin } from "../model/origin.ts";

/**
 * What became of the protection that a refused object asks for: it is not enforced (what is in force in its place is an
 * earlier version or nothing), or the traffic that it protects is refused in the meantime.
 */
export type Protection = "not enforced" | "traffic refused";

/** All of its kinds protect, also those that are not known here, or are misspelt. */
const PROTECTIVE_GROUP = "security.istio.io/";
/** Nobody has this identity, so nobody is taken for who the traffic is meant for. */
const NOBODY = "spiffe://scrim.invalid/nobody";
const CLOSED = Object.freeze({ mode: "ISTIO_MUTUAL", subjectAltNames: Object.freeze([NOBODY]) } as const);

/** Returns whether a document, of whatever shape, says that something is to be protected. */
export function isProtective(document: unknown): boolean {
  const { apiVersion, kind, spec } = fieldsOf(document);
  if (typeof apiVersion === "string" && apiVersion.startsWith(PROTECTIVE_GROUP)) return true;
  return (kind === "DestinationRule" || kind === "Gateway") && asksForTls(spec);
}

function asksForTls(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(asksForTls);
  return Object.entries(fieldsOf(value)).some(([name, inner]) =>
    name === "tls" ? isTls(inner) : typeof inner === "object" && asksForTls(inner),
  );
}

function isTls(tls: unknown): boolean {
  return fieldsOf(tls)["mode"] !== undefined && fieldsOf(tls)["mode"] !== "DISABLE";
}

/**
 * Returns a DestinationRule with which the traffic fails that one with this spec, in whatever shape, would encrypt:
 * without a rule it would go in plaintext. Undefined for one that encrypts nothing, or does not say whose traffic.
 */
export function closedRule(ref: ObjectRef, spec: unknown, origin: Origin): MeshObject<"DestinationRule"> | undefined {
  const { host, trafficPolicy, exportTo } = fieldsOf(spec);
  const { tls, portLevelSettings } = fieldsOf(trafficPolicy);
  const ports = (Array.isArray(portLevelSettings) ? portLevelSettings : []).map(fieldsOf).flatMap(({ port, tls }) => {
    const { number } = fieldsOf(port);
    return isTls(tls) && typeof number === "number" ? [{ port: { number }, tls: CLOSED }] : [];
  });
  if (ref.kind !== "DestinationRule" || typeof host !== "string" || (!isTls(tls) && ports.length === 0))
    return undefined;
  const isList = Array.isArray(exportTo) && exportTo.every((one) => typeof one === "string");
  return Object.freeze({
    kind: "DestinationRule",
    apiVersion: "networking.istio.io/v1",
    metadata: Object.freeze({ namespace: ref.namespace, name: ref.name, labels: {}, annotations: {} }),
    spec: {
      host,
      trafficPolicy: { ...(isTls(tls) && { tls: CLOSED }), ...(ports.length > 0 && { portLevelSettings: ports }) },
      ...(isList && { exportTo }),
    },
    origin: { ...origin },
  });
}

/** Returns whether an object is one that closedRule made. */
export function isClosedRule(object: MeshObject): boolean {
  if (object.kind !== "DestinationRule") return false;
  const { trafficPolicy } = (object as MeshObject<"DestinationRule">).spec;
  return [trafficPolicy?.tls, trafficPolicy?.portLevelSettings?.[0]?.tls].some(
    (tls) => tls?.subjectAltNames?.[0] === NOBODY,
  );
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
