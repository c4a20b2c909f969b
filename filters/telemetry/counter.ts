// consumes: one finished stream or one connection, and the configuration
// produces: its label set, with the metrics that the configuration wants
// never does: know where the stream came from: filter.ts has requests, connections.ts has connections
import {
  Bytes,
  BytesWriter,
  collectLater,
  getIntegerProperty,
  isLogged,
  literal,
  logBytes,
  LogLevel,
  RESPONSE_CODE,
} from "as-proxy-wasm-sdk";
import { utf8, viewOf } from "../policy/bytes";
import { Reporter, Settings } from "./config";
import { MetricSets } from "./metric-sets";
import { Observation, Traffic } from "./observation";
import { OwnNode, Peer } from "./workload";

const LOG = literal("telemetry: counted in label set ");
const TUNNEL_LOG = literal("telemetry: counted a tunnel in label set ");
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
    if (isLogged(LogLevel.Debug))
      logBytes(
        LogLevel.Debug,
        scratch.clear().bytes(LOG).integer(set).byte(0x20).integer(getIntegerProperty(RESPONSE_CODE)).result,
      );
  }

  /** Counts a tunnel that is over. */
  countTunnel(): void {
    const set = this.setOf(Traffic.Tcp, null);
    observation.recordTunnel(this.sets, set);
    if (isLogged(LogLevel.Debug)) logBytes(LogLevel.Debug, scratch.clear().bytes(TUNNEL_LOG).integer(set).result);
  }

  /**
   * The set of a key that is not known: a new one, one of the same names, or the one for all that there is no room for.
   */
  private define(): i32 {
    collectLater();
    const full = this.sets.full;
    if (!full || this.settings.plans.leavesOut) {
      observation.writeLabels(labels.clear(), this.node.workload, false);
      const set = this.sets.define(
        observation.key,
        labels.result,
        observation.values,
        observation.applicable,
        false,
        scratch,
      );
      if (set >= 0) return set;
    }
    if (this.sets.overflow < 0) this.sets.overflow = this.defineOverflow();
    return this.sets.overflow;
  }

  private defineOverflow(): i32 {
    observation.writeLabels(labels.clear(), this.node.workload, true);
    const values = observation.values;
    for (let i = 0; i < values.length; i++) values[i] = viewOf(OVERFLOW);
    return this.sets.define(NO_KEY, labels.result, values, this.settings.plans.plans.length, true, scratch);
  }
}

/** A key no stream has: what overflows is found by being full, not by its key. */
const NO_KEY: Bytes = literal("overflow");
