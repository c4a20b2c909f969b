// consumes: the Envoy messages of one proxy
// produces: encoded resources with content-hash versions, each content encoded once and shared
// never does: look at proxies, streams or time
import { createHash } from "node:crypto";
import { encode, packAny } from "../../protos/codec.ts";
import type { MessageByName } from "../../protos/build/envoy.ts";
import { inSlice } from "../model/time-slice.ts";
import { collectReferences, type Reference } from "./references.ts";
import type { ResourceKind, ResourceMessages } from "./resources.ts";
import { layered, layersOf } from "../world/layered-map.ts";
import type { EmittedResources } from "../translate/emit/resources.ts";
import { resourceKinds, resourceTypes } from "./type-urls.ts";

/** One resource as it goes on the wire. */
export interface EncodedResource {
  readonly kind: ResourceKind;
  readonly name: string;
  /** Hash of type, name and content: equal content has equal versions, also after a restart. */
  readonly version: string;
  /** The bytes of an envoy.service.discovery.v3.Resource. */
  readonly bytes: Uint8Array;
  readonly references: readonly Reference[];
}

export type EncodedMap = ReadonlyMap<string, EncodedResource>;

/** Everything one proxy is served, by kind; secrets are per identity and stand elsewhere. */
export interface EncodedResources {
  /** Streams of proxies with one key share NACK quarantine and last good content. */
  readonly classKey: string;
  readonly maps: Readonly<Record<Exclude<ResourceKind, "secrets">, EncodedMap>>;
}

const NOTHING: EncodedMap = new Map();

export interface EncodeOptions {
  /** The maps given never change afterwards, and several proxies may be given the same one. */
  readonly lasting?: boolean;
}

/** Encodes and remembers: the same message object, and equal content, give the same EncodedResource. */
export interface ResourceEncoder {
  /** The encoded resource of one message. Throws MessageShapeError for a message that cannot be encoded. */
  encodeResource<K extends ResourceKind>(kind: K, name: string, message: ResourceMessages[K]): EncodedResource;
  /** The encoded map; the one given as `before` comes back when nothing in it differs. */
  encodeMap<K extends ResourceKind>(
    kind: K,
    messages: ReadonlyMap<string, ResourceMessages[K]>,
    before?: EncodedMap,
  ): EncodedMap;
  /**
   * A proxy's resources; maps that are equal to those of `before` are shared with it, and `before` itself comes back
   * when all are.
   */
  encodeResources(
    classKey: string,
    resources: EmittedResources,
    before?: EncodedResources,
    options?: EncodeOptions,
  ): EncodedResources;
  /** How many contents are remembered at present. */
  size(): number;
}

/** An encoder with an interning cache that keeps only what someone still holds. */
export function createResourceEncoder(): ResourceEncoder {
  const byMap = new WeakMap<object, EncodedMap>();
  const { encodeResource, size } = createContents();

  const encodeMap: ResourceEncoder["encodeMap"] = (kind, messages, before) => {
    const encoded = new Map<string, EncodedResource>();
    for (const [name, message] of messages) encoded.set(name, encodeResource(kind, name, message));
    return before !== undefined && isSameMap(before, encoded) ? before : encoded;
  };

  /**
   * As encodeMap, for a map that never changes again: encoded once, however many proxies hold it, and its layers each
   * for itself.
   */
  const encodeLasting: ResourceEncoder["encodeMap"] = (kind, messages, before) => {
    const layers = layersOf(messages),
      layersBefore = before && layersOf(before);
    if (layers !== undefined)
      return layered(
        encodeLasting(kind, layers.shared, layersBefore?.shared),
        encodeLasting(kind, layers.own, layersBefore?.own),
      );
    const known = byMap.get(messages);
    if (known !== undefined) return known;
    const encoded = encodeMap(kind, messages, before);
    byMap.set(messages, encoded);
    return encoded;
  };

  return {
    encodeResource,
    encodeMap,
    encodeResources: (classKey, resources, before, { lasting = false } = {}) =>
      encodeEach(lasting ? encodeLasting : encodeMap, classKey, resources, before),
    size,
  };
}

/** The encoded contents that someone still holds, each once. */
function createContents(): Pick<ResourceEncoder, "encodeResource" | "size"> {
  const byMessage = new WeakMap<object, EncodedResource>();
  const byVersion = new Map<string, WeakRef<EncodedResource>>();
  const dropped = new FinalizationRegistry<string>((version) => {
    if (byVersion.get(version)?.deref() === undefined) byVersion.delete(version);
  });
  const find = (version: string) => byVersion.get(version)?.deref();
  return {
    encodeResource(kind, name, message) {
      const known = byMessage.get(message);
      if (known !== undefined && known.name === name && known.kind === kind) return known;
      const fresh = inSlice(() => encodeContent(kind, name, message, find));
      if (find(fresh.version) !== fresh) {
        byVersion.set(fresh.version, new WeakRef(fresh));
        dropped.register(fresh, fresh.version);
      }
      byMessage.set(message, fresh);
      return fresh;
    },
    size: () => byVersion.size,
  };
}

function encodeEach(
  encodeKind: ResourceEncoder["encodeMap"],
  classKey: string,
  resources: EmittedResources,
  before: EncodedResources | undefined,
): EncodedResources {
  const maps = {
    clusters: encodeKind("clusters", resources.clusters, before?.maps.clusters),
    endpoints: encodeKind("endpoints", resources.endpoints, before?.maps.endpoints),
    listeners: encodeKind("listeners", resources.listeners, before?.maps.listeners),
    routes: encodeKind("routes", resources.routes, before?.maps.routes),
    virtualHosts: encodeKind("virtualHosts", resources.virtualHosts, before?.maps.virtualHosts),
    extensionConfigs: encodeKind("extensionConfigs", resources.extensionConfigs, before?.maps.extensionConfigs),
  };
  const isSame =
    before !== undefined &&
    before.classKey === classKey &&
    resourceKinds.every((kind) => kind === "secrets" || before.maps[kind] === maps[kind]);
  return isSame ? before : { classKey, maps };
}

/** EncodedResources with nothing in them. */
export function noResources(classKey: string): EncodedResources {
  const maps = {
    clusters: NOTHING,
    endpoints: NOTHING,
    listeners: NOTHING,
    routes: NOTHING,
    virtualHosts: NOTHING,
    extensionConfigs: NOTHING,
  };
  return { classKey, maps };
}

/** Same names with same contents in the same order. */
function isSameMap(left: EncodedMap, right: EncodedMap): boolean {
  if (left.size !== right.size) return false;
  const others = right.entries();
  for (const [name, resource] of left) {
    const [otherName, other] = others.next().value!;
    if (name !== otherName || resource.version !== other.version) return false;
  }
  return true;
}

function encodeContent<K extends ResourceKind>(
  kind: K,
  name: string,
  message: ResourceMessages[K],
  find: (version: string) => EncodedResource | undefined,
): EncodedResource {
  const { message: messageName, typeUrl } = resourceTypes[kind];
  // Envoy removes a virtual host of VHDS by its own name, and is told the resource's: they must be one and the same.
  const typed = (kind === "virtualHosts" ? { ...message, name } : message) as MessageByName[typeof messageName];
  const packed = packAny(messageName, typed);
  const hash = createHash("sha256").update(`${typeUrl}\0${name}\0`).update(packed.value);
  const version = hash.digest("base64url").slice(0, 16);
  const known = find(version);
  if (known !== undefined) return known;
  const bytes = encode("Resource", { name, version, resource: packed });
  return { kind, name, version, bytes, references: collectReferences(messageName, typed) };
}
