// consumes: request and response headers (peers' metadata), and at log Envoy's attributes
// produces: Istio's standard metrics; the peer metadata headers, each way
// never does: believe a header that did not come over mutual TLS; let peer metadata leave the mesh; do on the request
// path what can wait for the log
import {
  Bytes,
  BytesWriter,
  FilterHeadersStatus,
  getProperty,
  HeaderMap,
  HeaderPairs,
  HttpContext,
  isMutualTls,
  Json,
  JsonDocument,
  literal,
  propertyPath,
  requestHeaders,
  responseHeaders,
  RootContext,
  UPSTREAM_PEER_URI_SAN,
} from "as-proxy-wasm-sdk";
import { addressOf, equals, lengthOf, Span, spanOf, startsWith, utf8, viewOf } from "../policy/bytes";
import { readSettings, Reporter, Settings } from "./config";
import { Counter } from "./counter";
import { Traffic } from "./observation";
import { tellBuild } from "./build-info";
import { OwnNode, Peer, PeerCache } from "./workload";

const PEER_METADATA = literal("x-envoy-peer-metadata");
const PEER_METADATA_ID = literal("x-envoy-peer-metadata-id");
const CONTENT_TYPE = literal("content-type");
const GRPC = utf8("application/grpc");
const MESH = propertyPath("xds\0cluster_metadata\0filter_metadata\0scrim\0mesh");
const SERVICE = propertyPath("xds\0cluster_metadata\0filter_metadata\0scrim\0service");
const METHOD = literal(":method");
const CONNECT = utf8("CONNECT");
const INTERNAL = utf8("internal");

const scratch = new BytesWriter(2048);

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
  protected counter: Counter | null = null;
  private settings: Settings = new Settings();
  /** Counts tunnels, once there is one. */
  private tunnels: Counter | null = null;
  private ownId: Bytes = PEER_METADATA_ID;
  private ownMetadata: Bytes = PEER_METADATA;

  override onConfigure(configuration: Bytes): bool {
    return this.configureFrom(new JsonDocument(configuration, this.region).root);
  }

  /** Takes a configuration that may be a part of a larger one; false refuses it, and the log says why. */
  configureFrom(configuration: Json): bool {
    const document = configuration.document!;
    const settings = readSettings(configuration);
    if (!document.ok) return this.reject(document.error);
    this.reporter = settings.reporter;
    this.settings = settings;
    this.peers.side = settings.reporter == Reporter.Source ? "destination" : "source";
    this.node.read();
    this.ownId = keepSpan(this, viewOf(this.node.id));
    this.ownMetadata = keepSpan(this, viewOf(this.node.encoded));
    const counter = new Counter(settings, this.node);
    this.counter = counter;
    tellBuild();
    if (settings.tcp) return this.countConnections(counter);
    return true;
  }

  /** Prepares for counting connections; false refuses to. */
  protected countConnections(counter: Counter): bool {
    return this.reject("protocol: tcp is for the module of telemetry alone");
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
      else if (cursor.nameIs(METHOD) && equals(spanOf(cursor.valuePtr, cursor.valueLength), viewOf(CONNECT)))
        stream.tunnel = true;
    }
    // A tunnel's headers end here: what goes on is bytes.
    if (stream.tunnel) return;
    if (isInside(stream.destination)) {
      requestHeaders.replace(PEER_METADATA_ID, this.ownId);
      requestHeaders.replace(PEER_METADATA, this.ownMetadata);
    } else if (present) removeMetadata(requestHeaders);
  }

  /** At the destination: learns who the peer is if it is authenticated, and keeps its metadata from the application. */
  receiveMetadata(stream: ObservedStream): void {
    if (!this.readMetadata(stream, requestHeaders.pairs())) return;
    removeMetadata(requestHeaders);
    stream.answers = isMutualTls();
  }

  /**
   * At the destination: a peer of the mesh that said who it is learns who answers; nobody else does, and the
   * application has no say.
   */
  answerMetadata(stream: ObservedStream): void {
    if (stream.answers) {
      responseHeaders.replace(PEER_METADATA_ID, this.ownId);
      responseHeaders.replace(PEER_METADATA, this.ownMetadata);
    } else if (responseHeaders.get(PEER_METADATA_ID) != null || responseHeaders.get(PEER_METADATA) != null)
      removeMetadata(responseHeaders);
  }

  /** At the source: learns who answered, if it is authenticated, and keeps that from whoever asked. */
  takeAnswer(stream: ObservedStream): void {
    const metadata = responseHeaders.get(PEER_METADATA);
    if (metadata == null) {
      if (responseHeaders.get(PEER_METADATA_ID) != null) removeMetadata(responseHeaders);
      return;
    }
    const identity = getProperty(UPSTREAM_PEER_URI_SAN);
    if (identity != null && identity.length > 0)
      stream.peer = this.peers.find(spanOf(metadata.ptr, metadata.length), scratch);
    removeMetadata(responseHeaders);
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
        if (stream.peer == null && isMutualTls())
          stream.peer = this.peers.find(spanOf(cursor.valuePtr, cursor.valueLength), scratch);
      }
    }
    return present;
  }

  /** Counts a finished stream. One that was answered before it came here still has its headers at log. */
  count(stream: ObservedStream): void {
    if (!stream.seen) this.readMetadata(stream, requestHeaders.pairs());
    if (stream.tunnel) return this.countTunnel();
    const counter = this.counter;
    if (counter != null) counter.countRequest(stream.grpc ? Traffic.Grpc : Traffic.Http, stream.peer);
  }

  /** A tunnel that leads back into this proxy, where its requests are counted, has no service. */
  private countTunnel(): void {
    if (getProperty(SERVICE) == null) return;
    let tunnels = this.tunnels;
    if (tunnels == null) {
      tunnels = new Counter(this.settings.forTunnels(), this.node);
      this.tunnels = tunnels;
    }
    tunnels.countTunnel();
  }
}

function keepSpan(root: RootContext, span: Span): Bytes {
  return root.keep(Bytes.view(addressOf(span), lengthOf(span)));
}

function isInside(destination: Destination): bool {
  if (destination != Destination.Cluster) return destination == Destination.Inside;
  const mesh = getProperty(MESH);
  return mesh != null && equals(spanOf(mesh.ptr, mesh.length), viewOf(INTERNAL));
}

function removeMetadata(from: HeaderMap): void {
  from.remove(PEER_METADATA);
  from.remove(PEER_METADATA_ID);
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
  /** A client's way to a port that speaks no HTTP. */
  tunnel: bool = false;
  /** Whether the client is to learn who answers. */
  answers: bool = false;
  /** Set by who knows better than Envoy does at that moment. */
  destination: Destination = Destination.Cluster;

  constructor(private readonly root: Telemetry) {
    super();
  }

  override onStart(): void {
    this.peer = null;
    this.grpc = false;
    this.seen = false;
    this.tunnel = false;
    this.answers = false;
    this.destination = Destination.Cluster;
  }

  override onRequestHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    this.seen = true;
    if (this.root.reporter == Reporter.Source) this.root.sendMetadata(this);
    else this.root.receiveMetadata(this);
    return FilterHeadersStatus.Continue;
  }

  override onResponseHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    if (this.root.reporter == Reporter.Source) this.root.takeAnswer(this);
    else this.root.answerMetadata(this);
    return FilterHeadersStatus.Continue;
  }

  override onLog(): void {
    this.root.count(this);
  }
}
