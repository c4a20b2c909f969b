// consumes: Envoy's attributes of one finished stream or of one connection
// produces: the key of its label set, the labels themselves when the set is new, and its samples
// never does: write labels for a set that is known already
import {
  Bytes,
  BytesWriter,
  CLUSTER_NAME,
  CONNECTION_MTLS,
  CONNECTION_PEER_URI_SAN,
  getBooleanProperty,
  getIntegerProperty,
  getProperty,
  propertyPath,
  REQUEST_DURATION,
  REQUEST_SIZE,
  REQUEST_TOTAL_SIZE,
  RESPONSE_CODE,
  RESPONSE_FLAGS,
  RESPONSE_GRPC_STATUS,
  RESPONSE_SIZE,
  RESPONSE_TOTAL_SIZE,
  UPSTREAM_PEER_URI_SAN,
  wallNanoseconds,
} from "as-proxy-wasm-sdk";
import {
  ABSENT,
  addressOf,
  cut,
  equals,
  indexOf,
  lengthOf,
  parseDecimal,
  Span,
  spanOf,
  utf8,
  viewOf,
} from "../policy/bytes";
import { evaluateText } from "./expressions";
import { REQUEST_LABELS } from "./labels";
import { MetricPlans } from "./metric-plan";
import { MetricSets } from "./metric-sets";
import { writeFlags } from "./response-flags";
import { part, Peer, Workload, writeLabel, writeWorkload } from "./workload";

const ENDPOINT_WORKLOAD = propertyPath("xds\0upstream_host_metadata\0filter_metadata\0istio\0workload");
const SERVICE = propertyPath("xds\0cluster_metadata\0filter_metadata\0scrim\0service");
const CONNECTION_LOCAL_URI_SAN = propertyPath("connection/uri_san_local_certificate");
const UPSTREAM_LOCAL_URI_SAN = propertyPath("upstream/uri_san_local_certificate");
const REQUEST_TIME = propertyPath("request/time");
/**
 * What Envoy's grpc_stats filter (emit_filter_state) has counted:
 * `<messages of the request>,<messages of the response>`.
 */
const GRPC_MESSAGES = propertyPath("filter_state\0envoy.filters.http.grpc_stats");
const PASSTHROUGH = utf8("PassthroughCluster");
const BLACK_HOLE = utf8("BlackHoleCluster");
const OVERFLOW = utf8("overflow");
const NO_GRPC_STATUS: i64 = -1;

/** What a stream is: its protocol decides which metrics and labels it has. */
export enum Traffic {
  Http,
  Grpc,
  Tcp,
}

/** What distinguishes the stream being counted. One object serves all streams. */
export class Observation {
  private readonly writer: BytesWriter = new BytesWriter(1024);
  private source: bool = false;
  private traffic: Traffic = Traffic.Http;
  private mtls: bool = false;
  private code: i64 = 0;
  private flags: i64 = 0;
  private grpcStatus: i64 = NO_GRPC_STATUS;
  private peer: Peer | null = null;
  private endpoint: Span = ABSENT;
  private principal: Span = ABSENT;
  private service: Span = ABSENT;
  /** Values of the configuration's expressions. */
  values: Span[] = [];

  /** The bytes that differ between label sets, valid until the next `read`. */
  get key(): Bytes {
    return this.writer.result;
  }

  /** How many of the plans' metrics the stream has: gRPC alone has messages. */
  get applicable(): i32 {
    return this.traffic == Traffic.Http ? 4 : this.traffic == Traffic.Grpc ? 6 : 4;
  }

  /**
   * Reads the current stream's attributes. `peer` is who is on the other side, where it has said so and may be
   * believed.
   */
  read(source: bool, peer: Peer | null, traffic: Traffic, plans: MetricPlans): void {
    this.source = source;
    this.traffic = traffic;
    this.mtls = !source && getBooleanProperty(CONNECTION_MTLS);
    this.code = traffic == Traffic.Tcp ? 0 : getIntegerProperty(RESPONSE_CODE, 0);
    if (this.code < 0 || this.code > 999) this.code = 0;
    this.flags = getIntegerProperty(RESPONSE_FLAGS, 0);
    this.grpcStatus =
      traffic == Traffic.Grpc ? getIntegerProperty(RESPONSE_GRPC_STATUS, NO_GRPC_STATUS) : NO_GRPC_STATUS;
    if (this.grpcStatus < 0 || this.grpcStatus > 999) this.grpcStatus = NO_GRPC_STATUS;
    this.endpoint = source ? property(ENDPOINT_WORKLOAD) : ABSENT;
    // What the control plane says of an endpoint comes before what the endpoint says of itself.
    this.peer = this.endpoint == ABSENT ? peer : null;
    this.principal = source ? property(UPSTREAM_PEER_URI_SAN) : this.mtls ? property(CONNECTION_PEER_URI_SAN) : ABSENT;
    this.service = property(SERVICE);
    if (this.service == ABSENT) this.service = specialCluster();
    this.evaluate(plans);
    this.writeKey();
  }

  private evaluate(plans: MetricPlans): void {
    for (let i = 0; i < plans.expressions.length; i++) {
      const value = evaluateText(unchecked(plans.expressions[i]));
      if (i < this.values.length) unchecked((this.values[i] = value));
      else this.values.push(value);
    }
    this.values.length = plans.expressions.length;
  }

  /** Adds the request to the metrics of its set. */
  recordRequest(sets: MetricSets, set: i32): void {
    let duration = getIntegerProperty(REQUEST_DURATION, -1);
    if (duration < 0) duration = max<i64>(0, wallNanoseconds() - getIntegerProperty(REQUEST_TIME, i64.MAX_VALUE));
    sets.add(set, 0, 1);
    sets.sample(set, 1, u64(duration / 1_000_000));
    sets.sample(set, 2, size(REQUEST_TOTAL_SIZE));
    sets.sample(set, 3, size(RESPONSE_TOTAL_SIZE));
    if (this.traffic == Traffic.Grpc) recordMessages(sets, set);
  }

  /** Adds a tunnel that is over to the metrics of its set: a connection that was opened and closed, and its bytes. */
  recordTunnel(sets: MetricSets, set: i32): void {
    sets.add(set, 0, 1);
    sets.add(set, 1, 1);
    sets.add(set, 2, i64(size(REQUEST_SIZE)));
    sets.add(set, 3, i64(size(RESPONSE_SIZE)));
  }

  /**
   * Appends all labels. With `overflow` everything but the reporter and this proxy's own workload is "overflow": the
   * set for all streams beyond the last label set there is room for.
   */
  writeLabels(to: BytesWriter, own: Workload, overflow: bool): void {
    writeLabel(to, "reporter", viewOf(utf8(this.source ? "source" : "destination")));
    writeWorkload(to, this.source ? "source" : "destination", own);
    this.writeOther(to, overflow);
    const local = overflow
      ? viewOf(OVERFLOW)
      : property(this.source ? UPSTREAM_LOCAL_URI_SAN : CONNECTION_LOCAL_URI_SAN);
    const remote = overflow ? viewOf(OVERFLOW) : this.principal;
    writeLabel(to, "source_principal", this.source ? local : remote);
    writeLabel(to, "destination_principal", this.source ? remote : local);
    for (let i = 0; i < 3; i++) {
      const suffix = i == 0 ? "" : i == 1 ? "_name" : "_namespace";
      writeLabel(to, "destination_service" + suffix, overflow ? viewOf(OVERFLOW) : part(this.service, i));
    }
    if (overflow) this.writeOverflow(to);
    else this.writeOutcome(to);
  }

  private writeOther(to: BytesWriter, overflow: bool): void {
    const peer = this.peer;
    if (peer != null && !overflow) {
      to.bytes(Bytes.view(changetype<usize>(peer.block), peer.block.length));
      return;
    }
    const workload = new Workload();
    if (overflow) workload.fill(viewOf(OVERFLOW));
    else workload.readEndpoint(this.endpoint);
    writeWorkload(to, this.source ? "destination" : "source", workload);
  }

  private writeOutcome(to: BytesWriter): void {
    const tcp = this.traffic == Traffic.Tcp;
    writeLabel(to, "request_protocol", viewOf(utf8(tcp ? "tcp" : this.traffic == Traffic.Grpc ? "grpc" : "http")));
    if (!tcp) {
      to.text(";response_code=").integer(this.code);
      to.text(";grpc_response_status=");
      if (this.grpcStatus >= 0) to.integer(this.grpcStatus);
    }
    to.text(";response_flags=");
    writeFlags(to, u64(this.flags));
    to.text(";connection_security_policy=").text(this.source ? "unknown" : this.mtls ? "mutual_tls" : "none");
  }

  private writeOverflow(to: BytesWriter): void {
    const names: string[] = [
      "request_protocol",
      "response_code",
      "grpc_response_status",
      "response_flags",
      "connection_security_policy",
    ];
    for (let i = 0; i < names.length; i++) {
      if (this.traffic != Traffic.Tcp || !REQUEST_LABELS.includes(names[i])) writeLabel(to, names[i], viewOf(OVERFLOW));
    }
  }

  /** Lengths stand before what varies in length, so that no two sets have one key. */
  private writeKey(): void {
    const writer = this.writer.clear();
    writer.u32(u32(this.code) | (u32(this.grpcStatus + 1) << 10) | (u32(this.traffic) << 20) | (u32(this.mtls) << 22));
    writer.u64(u64(this.flags));
    const peer = this.peer;
    writeSized(writer, peer == null ? ABSENT : viewOf(peer.block));
    writeSized(writer, this.endpoint);
    writeSized(writer, this.principal);
    writeSized(writer, this.service);
    for (let i = 0; i < this.values.length; i++) writeSized(writer, unchecked(this.values[i]));
  }
}

/** Nothing where grpc_stats does not stand before this filter. */
function recordMessages(sets: MetricSets, set: i32): void {
  const messages = property(GRPC_MESSAGES);
  const comma = indexOf(messages, 0x2c, 0);
  if (comma < 0) return;
  const sent = parseDecimal(cut(messages, 0, comma));
  const received = parseDecimal(cut(messages, comma + 1, lengthOf(messages)));
  if (sent > 0) sets.add(set, 4, sent);
  if (received > 0) sets.add(set, 5, received);
}

function writeSized(to: BytesWriter, value: Span): void {
  to.u32(lengthOf(value));
  to.bytes(Bytes.view(addressOf(value), lengthOf(value)));
}

function property(path: Bytes): Span {
  const value = getProperty(path);
  return value == null ? ABSENT : spanOf(value.ptr, value.length);
}

function size(path: Bytes): u64 {
  return u64(max<i64>(0, getIntegerProperty(path, 0)));
}

/** Streams to the unknown count under the cluster's name, as a service of that name (Istio does the same). */
function specialCluster(): Span {
  const cluster = property(CLUSTER_NAME);
  if (equals(cluster, viewOf(PASSTHROUGH))) return viewOf(PASSTHROUGH_SERVICE);
  return equals(cluster, viewOf(BLACK_HOLE)) ? viewOf(BLACK_HOLE_SERVICE) : ABSENT;
}

const PASSTHROUGH_SERVICE = utf8("unknown;PassthroughCluster;unknown");
const BLACK_HOLE_SERVICE = utf8("unknown;BlackHoleCluster;unknown");
