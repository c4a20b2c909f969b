// consumes: node metadata, peers' metadata headers, endpoints' metadata
// produces: workloads as blocks of label text, ready to stand in a stat's name
// never does: let a value end a label or carry control bytes; keep more peers than fit the bounds
import { Bytes, BytesWriter, collectLater, getProperty } from "as-proxy-wasm-sdk";
import {
  ABSENT,
  addressOf,
  copyOf,
  cut,
  equals,
  hash,
  HASH_SEED,
  indexOf,
  lengthOf,
  Span,
  spanOf,
  utf8,
  viewOf,
} from "../policy/bytes";
import { PeerMetadata, StructWriter } from "../policy/peer-metadata";

/** The longest value of a label, in bytes; the rest is cut off. */
const LONGEST_VALUE: i32 = 256;

const UNKNOWN = utf8("unknown");

/**
 * Appends `;<label>=<value>` with `;` and control bytes replaced by `_`, and "unknown" for a value that is absent or
 * empty.
 */
export function writeLabel(to: BytesWriter, label: string, value: Span): void {
  to.byte(0x3b).text(label).byte(0x3d);
  const shown = lengthOf(value) == 0 ? viewOf(UNKNOWN) : value;
  const length = min(lengthOf(shown), LONGEST_VALUE);
  for (let i = 0; i < length; i++) {
    const byte = load<u8>(addressOf(shown) + i);
    to.byte(byte < 0x20 || byte == 0x3b || byte == 0x7f ? 0x5f : byte);
  }
}

/** Appends the labels of one side. `side` is source or destination. */
export function writeWorkload(to: BytesWriter, side: string, workload: Workload): void {
  writeLabel(to, side + "_workload", workload.name);
  writeLabel(to, side + "_workload_namespace", workload.namespace);
  writeLabel(to, side + "_app", workload.app);
  writeLabel(to, side + "_version", workload.version);
  writeLabel(to, side + "_canonical_service", workload.canonicalName);
  writeLabel(to, side + "_canonical_revision", workload.canonicalRevision);
  writeLabel(to, side + "_cluster", workload.cluster);
}

/** What is known of one workload; unknown parts are ABSENT. The views belong to someone else. */
export class Workload {
  name: Span = ABSENT;
  namespace: Span = ABSENT;
  app: Span = ABSENT;
  version: Span = ABSENT;
  canonicalName: Span = ABSENT;
  canonicalRevision: Span = ABSENT;
  cluster: Span = ABSENT;

  /**
   * Reads an endpoint's `istio.workload` metadata:
   * `<workload>;<namespace>;<canonical name>;<canonical revision>;<cluster id>`. It has no app and version: the
   * canonical ones, which come from the same labels nearly always, stand in.
   */
  readEndpoint(text: Span): void {
    this.name = part(text, 0);
    this.namespace = part(text, 1);
    this.canonicalName = part(text, 2);
    this.canonicalRevision = part(text, 3);
    this.cluster = part(text, 4);
    this.app = this.canonicalName;
    this.version = this.canonicalRevision;
  }

  /** Sets every part to the same value. */
  fill(value: Span): void {
    this.name = value;
    this.namespace = value;
    this.app = value;
    this.version = value;
    this.canonicalName = value;
    this.canonicalRevision = value;
    this.cluster = value;
  }

  /** Takes what a peer says of itself. */
  readPeer(peer: PeerMetadata): void {
    this.name = peer.workload;
    this.namespace = peer.namespace;
    this.app = peer.app;
    this.version = peer.version;
    this.canonicalName = peer.canonicalName;
    this.canonicalRevision = peer.canonicalRevision;
    this.cluster = peer.cluster;
  }
}

/** Returns the part of a `;`-separated text at `index`, or ABSENT. */
export function part(text: Span, index: i32): Span {
  let at = 0;
  for (let i = 0; i < index; i++) {
    const next = indexOf(text, 0x3b, at);
    if (next < 0) return ABSENT;
    at = next + 1;
  }
  const end = indexOf(text, 0x3b, at);
  return text == ABSENT ? ABSENT : cut(text, at, end < 0 ? lengthOf(text) : end);
}

/** This proxy's own identity, read from node metadata once. */
export class OwnNode {
  readonly workload: Workload = new Workload();
  /** The node id, sent as x-envoy-peer-metadata-id. */
  id: StaticArray<u8> = new StaticArray<u8>(0);
  /** The metadata, sent as x-envoy-peer-metadata. */
  encoded: StaticArray<u8> = new StaticArray<u8>(0);

  /** Reads node id and metadata. */
  read(): void {
    const struct = new StructWriter();
    const labels = new StructWriter();
    const id = nodeProperty("id");
    if (id != null) this.id = copyOf(spanOf(id.ptr, id.length));
    const names: string[] = ["NAME", "NAMESPACE", "WORKLOAD_NAME", "CLUSTER_ID", "MESH_ID"];
    for (let i = 0; i < names.length; i++) add(struct, names[i], "metadata\0" + names[i]);
    const keys: string[] = [
      "app",
      "version",
      "service.istio.io/canonical-name",
      "service.istio.io/canonical-revision",
      "app.kubernetes.io/name",
      "app.kubernetes.io/version",
    ];
    for (let i = 0; i < keys.length; i++) add(labels, keys[i], "metadata\0LABELS\0" + keys[i]);
    struct.addStruct(viewOf(utf8("LABELS")), labels);
    this.encoded = struct.toBase64();
    // Read back what peers will see of us, so that both sides derive the same labels.
    this.own.read(viewOf(this.encoded));
    this.workload.readPeer(this.own);
  }

  private own: PeerMetadata = new PeerMetadata();
}

/** Stock Envoy 1.40 shows the node as xds.node; Istio's and older ones as node. */
export function nodeProperty(path: string): Bytes | null {
  const value = getProperty(Bytes.of("xds\0node\0" + path));
  return value != null ? value : getProperty(Bytes.of("node\0" + path));
}

function add(struct: StructWriter, key: string, path: string): void {
  const value = nodeProperty(path);
  if (value != null && value.length > 0) struct.addString(viewOf(utf8(key)), spanOf(value.ptr, value.length));
}

/** A peer that was seen: the header it sent and the labels that follow from it. */
export class Peer {
  constructor(
    readonly header: StaticArray<u8>,
    /** The block of the other side's labels. */
    readonly block: StaticArray<u8>,
  ) {}
}

/**
 * Peers by the very bytes of their metadata, so that nobody can speak under another's id. Bounded: past 512 peers or 1
 * MiB of headers all are forgotten and read again when they come back.
 */
export class PeerCache {
  private peers: Map<u64, Peer> = new Map<u64, Peer>();
  private bytes: i32 = 0;
  /** The side whose labels peers fill: source or destination. */
  side: string = "source";

  /** Returns the peer that sent this header, or null when the header is not peer metadata. */
  find(header: Span, scratch: BytesWriter): Peer | null {
    const key = hash(header, HASH_SEED);
    if (this.peers.has(key)) {
      const known = this.peers.get(key);
      if (equals(viewOf(known.header), header)) return known;
    }
    return this.read(header, key, scratch);
  }

  private read(header: Span, key: u64, scratch: BytesWriter): Peer | null {
    collectLater();
    const metadata = new PeerMetadata();
    if (!metadata.read(header)) return null;
    const workload = new Workload();
    workload.readPeer(metadata);
    scratch.clear();
    writeWorkload(scratch, this.side, workload);
    const block = scratch.result;
    const peer = new Peer(copyOf(header), copyOf(spanOf(block.ptr, block.length)));
    if (this.peers.size >= 512 || this.bytes + lengthOf(header) > 1 << 20) {
      this.peers.clear();
      this.bytes = 0;
    }
    this.bytes += lengthOf(header);
    this.peers.set(key, peer);
    return peer;
  }
}
