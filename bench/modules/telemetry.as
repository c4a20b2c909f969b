// Telemetry by hand: peer exchange on the request, the label set found by its key and four samples at log. New sets
// write their labels.
import { authenticated } from "./decisions";
import {
  defineMetricAt,
  findHeader,
  hostIncrement,
  hostRecord,
  numberOf,
  out,
  property,
  removeHeader,
  Text,
  valueAt,
  valueLength,
} from "./raw";

const peerMetadata = new Text("x-envoy-peer-metadata"),
  peerId = new Text("x-envoy-peer-metadata-id"),
  contentType = new Text("content-type");
const mtls = new Text("connection\0mtls"),
  code = new Text("response\0code"),
  flags = new Text("response\0flags");
const service = new Text("xds\0cluster_metadata\0filter_metadata\0scrim\0service"),
  cluster = new Text("xds\0cluster_name");
const duration = new Text("request\0duration"),
  requestSize = new Text("request\0total_size"),
  responseSize = new Text("response\0total_size");

// Sixteen label sets by the hash of their key: entry = u64 hash, then the four metrics' ids.
const sets: usize = memory.data(16 * 24, 16);
const key: usize = memory.data(512, 16);
const line: usize = memory.data(4096, 16);
let peer: u64 = 0;

const names = [
  new Text("raw_requests_total"),
  new Text("raw_duration_milliseconds"),
  new Text("raw_request_bytes"),
  new Text("raw_response_bytes"),
];
const labels = new Text(
  ";reporter=destination;source_workload=unknown;source_workload_namespace=unknown;source_principal=unknown" +
    ";source_app=unknown;source_version=unknown;source_canonical_service=unknown" +
    ";source_canonical_revision=unknown;source_cluster=unknown;destination_workload=bench" +
    ";destination_workload_namespace=default;destination_principal=unknown;destination_app=bench" +
    ";destination_version=v1;destination_service=unknown;destination_service_name=unknown" +
    ";destination_service_namespace=unknown;destination_canonical_service=bench" +
    ";destination_canonical_revision=v1;destination_cluster=Kubernetes;request_protocol=http" +
    ";response_code=200;grpc_response_status=;response_flags=-;connection_security_policy=none",
);

function hashOf(at: usize, length: u32): u64 {
  let h: u64 = 0xcbf29ce484222325,
    i: u32 = 0;
  for (; i + 8 <= length; i += 8) h = (h ^ load<u64>(at + i)) * 0x9e3779b97f4a7c15;
  for (; i < length; i++) h = (h ^ load<u8>(at + i)) * 0x100000001b3;
  return h == 0 ? 1 : h;
}

/** Learns who the peer says it is, where its certificate vouches for it, and keeps that from the application. */
export function exchangePeer(): void {
  findHeader(contentType);
  peer = 0;
  if (!findHeader(peerMetadata)) return;
  if (authenticated) peer = hashOf(valueAt, valueLength);
  removeHeader(peerMetadata);
  removeHeader(peerId);
}

function define(entry: usize): void {
  for (let i = 0; i < 4; i++) {
    memory.copy(line, names[i].at, names[i].length);
    memory.copy(line + names[i].length, labels.at, labels.length);
    store<i32>(entry + 8 + i * 4, defineMetricAt(i == 0 ? 0 : 2, line, names[i].length + labels.length));
  }
}

export function count(): void {
  const secure = property(mtls) && load<u8>(load<u32>(out)) != 0;
  store<i64>(key, numberOf(code) | (secure ? 1024 : 0));
  store<i64>(key, numberOf(flags), 8);
  store<u64>(key, peer, 16);
  let length: u32 = 24;
  if (property(service) || property(cluster)) {
    const more = min(load<u32>(out + 4), 480);
    memory.copy(key + length, load<u32>(out), more);
    length += more;
  }
  const hash = hashOf(key, length);
  const entry = sets + u32(hash >> 60) * 24;
  if (load<u64>(entry) != hash) {
    store<u64>(entry, hash);
    define(entry);
  }
  hostIncrement(load<i32>(entry, 8), 1);
  hostRecord(load<i32>(entry, 12), numberOf(duration) / 1000000);
  hostRecord(load<i32>(entry, 16), numberOf(requestSize));
  hostRecord(load<i32>(entry, 20), numberOf(responseSize));
}
