// What is counted of one limit. A stat is named `scrim_ratelimit_limit_over_total;limit=<name>;`: the proxy's bootstrap has
// a stats tag that takes the label out of it.
import { defineMetric, incrementMetric, literal, MetricType } from "as-proxy-wasm-sdk";

/** A bucket, or what a service gave, is nearly empty where less than one part in so many is left. */
const NEAR_PART: i64 = 5;

/** The counters of one limit. */
export class LimitCounts {
  private total: u32 = 0;
  private overLimit: u32 = 0;
  private nearLimit: u32 = 0;
  private shadow: u32 = 0;

  /** Defines them. Configuration time only. */
  define(limit: string): void {
    const label = ";limit=" + labelled(limit) + ";";
    this.total = counter("scrim_ratelimit_limit_total" + label);
    this.overLimit = counter("scrim_ratelimit_limit_over_total" + label);
    this.nearLimit = counter("scrim_ratelimit_limit_near_total" + label);
    this.shadow = counter("scrim_ratelimit_limit_shadow_total" + label);
  }

  /** A request met the limit. */
  // @ts-ignore: decorator
  @inline
  met(): void {
    incrementMetric(this.total);
  }

  /** A request was admitted; so much is left of what there may be. */
  // @ts-ignore: decorator
  @inline
  admitted(left: i64, most: i64): void {
    if (left * NEAR_PART < most) incrementMetric(this.nearLimit);
  }

  /** A request was over the limit; one in shadow passed. */
  over(inShadow: bool): void {
    incrementMetric(this.overLimit);
    if (inShadow) incrementMetric(this.shadow);
  }
}

function counter(name: string): u32 {
  return defineMetric(MetricType.Counter, literal(name));
}

/** What would end the label, or not be seen in it, becomes `_`. */
function labelled(name: string): string {
  let out = "";
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i);
    out += unit <= 0x20 || unit == 0x3b || unit == 0x7f ? "_" : name.charAt(i);
  }
  return out;
}
