// consumes: one finished stream or one connection, and the configuration
// produces: its label set, with the metrics that the configuration wants
// never does: know where the stream came from: filter.ts has requests, connections.ts has connections
import { Bytes, BytesWriter, collectLater, getIntegerProperty, isLogged, literal, logBytes, LogLevel, RESPONSE_CODE } from "as-proxy-wasm-sdk";
import { utf8, viewOf } from "../policy/bytes";
import { Reporter, Settings } from "./config";
import { MetricSets } from "./metric-sets";
import { Observation, Traffic } from "./observation";
import { OwnNode, Peer } from "./workload";

const LOG = literal("telemetry: counted in label set ");
const OVERFLOW = utf8("overflow");

const labels = new BytesWriter(2048);
const scratch = new BytesWriter(2048);
const observation = new Observation();

/** What one configured filter counts with. */
export class Counter {
  readonly sets: MetricSets;

  constructor(
    readonly settings: Settings,
    readonly node: OwnNode,
  ) {
    this.sets = new MetricSets(settings.mostSets, settings.plans);
  }

  /** Returns the label set of the stream whose callback runs; `observation` is about it then. */
  setOf(traffic: Traffic, peer: Peer | null): i32 {
    observation.read(this.settings.reporter == Reporter.Source, peer, traffic, this.settings.plans);
    let set = this.sets.find(observation.key);
    if (set < 0) set = this.define();
    if (set == this.sets.overflow) this.sets.overflowed();
    return set;
  }

  /** Counts a finished request. */
  countRequest(traffic: Traffic, peer: Peer | null): void {
    const set = this.setOf(traffic, peer);
    observation.recordRequest(this.sets, set);
    if (isLogged(LogLevel.Debug)) logBytes(LogLevel.Debug, scratch.clear().bytes(LOG).integer(set).byte(0x20).integer(getIntegerProperty(RESPONSE_CODE)).result);
  }

  private define(): i32 {
    collectLater();
    const overflow = this.sets.full;
    if (overflow && this.sets.overflow >= 0) return this.sets.overflow;
    observation.writeLabels(labels.clear(), this.node.workload, overflow);
    const values = observation.values;
    if (overflow) for (let i = 0; i < values.length; i++) values[i] = viewOf(OVERFLOW);
    const applicable = overflow ? this.settings.plans.plans.length : observation.applicable;
    const set = this.sets.define(overflow ? NO_KEY : observation.key, labels.result, values, applicable, scratch);
    if (overflow) this.sets.overflow = set;
    return set;
  }
}

/** A key no stream has: what overflows is found by being full, not by its key. */
const NO_KEY: Bytes = literal("overflow");
