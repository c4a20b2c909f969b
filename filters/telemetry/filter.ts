// consumes: request headers (peers' metadata), and at log Envoy's attributes
// produces: Istio's standard metrics; at the source the peer metadata headers
// never does: believe a header that did not come over mutual TLS; let peer metadata leave the mesh; do on the request path what can wait for the log
import {
  Bytes, BytesWriter, collectLater, FilterHeadersStatus, getIntegerProperty, getProperty, HeaderPairs, HttpContext,
  isLogged, isMutualTls, Json, JsonDocument, literal, logBytes, LogLevel, propertyPath, requestHeaders, RESPONSE_CODE, RootContext,
} from "as-proxy-wasm-sdk";
import { addressOf, equals, lengthOf, Span, spanOf, startsWith, utf8, viewOf } from "../policy/bytes";
import { MetricSets } from "./metric-sets";
import { Observation } from "./observation";
import { OwnNode, Peer, PeerCache } from "./workload";

const PEER_METADATA = literal("x-envoy-peer-metadata");
const PEER_METADATA_ID = literal("x-envoy-peer-metadata-id");
const CONTENT_TYPE = literal("content-type");
const GRPC = utf8("application/grpc");
const MESH = propertyPath("xds\0cluster_metadata\0filter_metadata\0scrim\0mesh");
const INTERNAL = utf8("internal");
const LOG = literal("telemetry: counted in label set ");

const scratch = new BytesWriter(2048);
const observation = new Observation();

/** Which end of the connection this filter counts at. */
export enum Reporter {
  Source,
  Destination,
}

/** Where a stream is bound for, as far as metadata may go with it. */
export enum Destination {
  /** The chosen cluster says. */
  Cluster,
  Inside,
  Outside,
}

/** One configured reporter. */
export class Telemetry extends RootContext {
  reporter: Reporter = Reporter.Source;
  private readonly node: OwnNode = new OwnNode();
  private readonly peers: PeerCache = new PeerCache();
  private readonly sets: MetricSets = new MetricSets();
  private ownId: Bytes = PEER_METADATA_ID;
  private ownMetadata: Bytes = PEER_METADATA;

  override onConfigure(configuration: Bytes): bool {
    return this.configureFrom(new JsonDocument(configuration, this.region).root);
  }

  /** Takes a configuration that may be a part of a larger one; false refuses it, and the log says why. */
  configureFrom(configuration: Json): bool {
    const document = configuration.document!;
    const field = configuration.object().only(["reporter"]).get("reporter");
    const reporter = field.string();
    if (reporter != "source" && reporter != "destination") field.fail("source or destination");
    if (!document.ok) return this.reject(document.error);
    this.reporter = reporter == "source" ? Reporter.Source : Reporter.Destination;
    this.node.read();
    this.ownId = keepSpan(this, viewOf(this.node.id));
    this.ownMetadata = keepSpan(this, viewOf(this.node.encoded));
    return true;
  }

  override createHttpContext(): HttpContext {
    return new ObservedStream(this);
  }

  /** At the source: peer metadata goes to destinations inside the mesh and nowhere else. */
  sendMetadata(stream: ObservedStream): void {
    const cursor = requestHeaders.pairs().begin();
    let present = false;
    while (cursor.next()) {
      if (cursor.nameIs(CONTENT_TYPE)) stream.grpc = isGrpc(spanOf(cursor.valuePtr, cursor.valueLength));
      else if (cursor.nameIs(PEER_METADATA) || cursor.nameIs(PEER_METADATA_ID)) present = true;
    }
    if (isInside(stream.destination)) {
      requestHeaders.replace(PEER_METADATA_ID, this.ownId);
      requestHeaders.replace(PEER_METADATA, this.ownMetadata);
    } else if (present) removeMetadata();
  }

  /** At the destination: learns who the peer is if it is authenticated, and keeps its metadata from the application. */
  receiveMetadata(stream: ObservedStream): void {
    if (this.readMetadata(stream, requestHeaders.pairs())) removeMetadata();
  }

  /** Returns whether there was any peer metadata, believed or not. */
  private readMetadata(stream: ObservedStream, pairs: HeaderPairs): bool {
    const cursor = pairs.begin();
    let present = false;
    while (cursor.next()) {
      if (cursor.nameIs(CONTENT_TYPE)) stream.grpc = isGrpc(spanOf(cursor.valuePtr, cursor.valueLength));
      else if (cursor.nameIs(PEER_METADATA_ID)) present = true;
      else if (cursor.nameIs(PEER_METADATA)) {
        present = true;
        if (stream.peer == null && isMutualTls()) stream.peer = this.peers.find(spanOf(cursor.valuePtr, cursor.valueLength), scratch);
      }
    }
    return present;
  }

  /** Counts a finished stream. One that was answered before it came here still has its headers at log. */
  count(stream: ObservedStream): void {
    if (!stream.seen) this.readMetadata(stream, requestHeaders.pairs());
    const source = this.reporter == Reporter.Source;
    observation.read(source, source ? null : stream.peer, stream.grpc);
    let set = this.sets.find(observation.key);
    if (set < 0) set = this.define();
    observation.record(this.sets, set);
    if (isLogged(LogLevel.Debug)) logBytes(LogLevel.Debug, scratch.clear().bytes(LOG).integer(set).byte(0x20).integer(getIntegerProperty(RESPONSE_CODE)).result);
  }

  private define(): i32 {
    collectLater();
    const overflow = this.sets.full;
    if (overflow && this.sets.overflow >= 0) return this.sets.overflow;
    observation.writeLabels(labels.clear(), this.node.workload, overflow);
    const set = this.sets.define(observation.key, labels.result, scratch);
    if (overflow) this.sets.overflow = set;
    return set;
  }
}

const labels = new BytesWriter(2048);

function keepSpan(root: RootContext, span: Span): Bytes {
  return root.keep(Bytes.view(addressOf(span), lengthOf(span)));
}

function isInside(destination: Destination): bool {
  if (destination != Destination.Cluster) return destination == Destination.Inside;
  const mesh = getProperty(MESH);
  return mesh != null && equals(spanOf(mesh.ptr, mesh.length), viewOf(INTERNAL));
}

function removeMetadata(): void {
  requestHeaders.remove(PEER_METADATA);
  requestHeaders.remove(PEER_METADATA_ID);
}

/** gRPC's content type: application/grpc, alone or followed by + or ;. */
function isGrpc(value: Span): bool {
  if (!startsWith(value, viewOf(GRPC))) return false;
  const after = lengthOf(value) == GRPC.length ? 0 : load<u8>(addressOf(value) + GRPC.length);
  return after == 0 || after == 0x2b || after == 0x3b;
}

/** One stream. */
export class ObservedStream extends HttpContext {
  peer: Peer | null = null;
  grpc: bool = false;
  seen: bool = false;
  /** Set by who knows better than Envoy does at that moment. */
  destination: Destination = Destination.Cluster;

  constructor(private readonly root: Telemetry) {
    super();
  }

  override onStart(): void {
    this.peer = null;
    this.grpc = false;
    this.seen = false;
    this.destination = Destination.Cluster;
  }

  override onRequestHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    this.seen = true;
    if (this.root.reporter == Reporter.Source) this.root.sendMetadata(this);
    else this.root.receiveMetadata(this);
    return FilterHeadersStatus.Continue;
  }

  override onLog(): void {
    this.root.count(this);
  }
}
