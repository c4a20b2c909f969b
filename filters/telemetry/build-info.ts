// Which version a proxy is of: the gauge `istio_build{component="proxy",tag}`, as Istio's proxies have it.
import { Bytes, BytesWriter, defineMetric, literal, MetricType, recordMetric } from "as-proxy-wasm-sdk";
import { ABSENT, Span, spanOf, utf8, viewOf } from "../policy/bytes";
import { nodeProperty, writeLabel } from "./workload";

const NAME = literal("istio_build");
const PROXY = utf8("proxy");

/** Sets the gauge to 1. The tag is what the node says: our version, else Istio's, else "unknown". Configuration time only. */
export function tellBuild(): void {
  const own = nodeProperty("metadata\0SCRIM_VERSION");
  const name = new BytesWriter(128);
  name.bytes(NAME);
  writeLabel(name, "component", viewOf(PROXY));
  writeLabel(name, "tag", spanOrAbsent(own != null ? own : nodeProperty("metadata\0ISTIO_VERSION")));
  name.byte(0x3b);
  recordMetric(defineMetric(MetricType.Gauge, name.result), 1);
}

function spanOrAbsent(value: Bytes | null): Span {
  return value == null ? ABSENT : spanOf(value.ptr, value.length);
}
