// consumes: TCP connections, as Envoy's network filter chain shows them
// produces: Istio's metrics of connections: opened, closed, bytes each way
// never does: look at what is sent: no callback is called for data
import {
  getIntegerProperty,
  NetworkContext,
  NetworkFilterStatus,
  REQUEST_TOTAL_SIZE,
  RESPONSE_TOTAL_SIZE,
  setTickPeriod,
} from "as-proxy-wasm-sdk";
import { proxy_set_effective_context } from "as-proxy-wasm-sdk/abi/imports";
import { Counter } from "./counter";
import { Telemetry } from "./filter";
import { Traffic } from "./observation";

/** How often open connections are reported. */
const REPORT_EVERY_MS: u32 = 5000;

const OPENED: i32 = 0;
const CLOSED: i32 = 1;
const RECEIVED: i32 = 2;
const SENT: i32 = 3;

/** The open connections of one configured filter. */
class OpenConnections {
  private readonly open: CountedConnection[] = [];

  constructor(readonly counter: Counter) {}

  add(connection: CountedConnection): void {
    connection.place = this.open.length;
    this.open.push(connection);
  }

  remove(connection: CountedConnection): void {
    const at = connection.place;
    if (at < 0) return;
    const last = this.open.pop();
    if (at < this.open.length) {
      this.open[at] = last;
      last.place = at;
    }
    connection.place = -1;
  }

  /** Reports all that are open; `root` is the context to come back to. */
  report(root: u32): void {
    for (let i = 0; i < this.open.length; i++) {
      const connection = this.open[i];
      if (proxy_set_effective_context(connection.id) == 0) connection.report();
    }
    proxy_set_effective_context(root);
  }
}

/** One connection. */
class CountedConnection extends NetworkContext {
  /** Where it stands among the open ones; -1: nowhere. */
  place: i32 = -1;
  private opened: bool = false;
  private received: i64 = 0;
  private sent: i64 = 0;

  constructor(private readonly connections: OpenConnections) {
    super();
  }

  override onStart(): void {
    this.place = -1;
    this.opened = false;
    this.received = 0;
    this.sent = 0;
  }

  override onNewConnection(): NetworkFilterStatus {
    this.connections.add(this);
    return NetworkFilterStatus.Continue;
  }

  /** Counts what is new since the last report. Returns the label set. */
  report(): i32 {
    const counter = this.connections.counter;
    const set = counter.setOf(Traffic.Tcp, null);
    if (!this.opened) counter.sets.add(set, OPENED, 1);
    this.opened = true;
    const received = getIntegerProperty(REQUEST_TOTAL_SIZE, 0);
    const sent = getIntegerProperty(RESPONSE_TOTAL_SIZE, 0);
    if (received > this.received) counter.sets.add(set, RECEIVED, received - this.received);
    if (sent > this.sent) counter.sets.add(set, SENT, sent - this.sent);
    this.received = max(received, this.received);
    this.sent = max(sent, this.sent);
    return set;
  }

  override onLog(): void {
    if (this.place < 0) return;
    this.connections.counter.sets.add(this.report(), CLOSED, 1);
    this.connections.remove(this);
  }

  override onEnd(): void {
    this.connections.remove(this);
  }
}

/** Telemetry of requests, or of connections where the configuration says so. */
export class TelemetryOfBoth extends Telemetry {
  private connections: OpenConnections | null = null;

  protected override countConnections(counter: Counter): bool {
    this.connections = new OpenConnections(counter);
    setTickPeriod(REPORT_EVERY_MS);
    return true;
  }

  override createNetworkContext(): NetworkContext | null {
    const connections = this.connections;
    return connections == null ? null : new CountedConnection(connections);
  }

  override onTick(): void {
    const connections = this.connections;
    if (connections != null) connections.report(this.id);
  }
}
