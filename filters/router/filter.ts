// consumes: the virtual host's rules (its metadata) and a request's headers
// produces: the filter state wasm.scrim.route = key of the first rule that matches, and a fresh choice of route
// never does: read or write a header that could carry the choice
import {
  Bytes,
  BytesWriter,
  clearRouteCache,
  FilterHeadersStatus,
  getProperty,
  HttpContext,
  isLogged,
  Json,
  JsonDocument,
  literal,
  logBytes,
  LogLevel,
  defineMetric,
  incrementMetric,
  MetricType,
  propertyPath,
  RootContext,
  setProperty,
} from "as-proxy-wasm-sdk";
import { addressOf, lengthOf, Span, spanOf, viewOf } from "../policy/bytes";
import { hostRouteRequest as request } from "../request/host-route-request";
import { RouteTables } from "./tables";

const RULES_ID = propertyPath("xds\0virtual_host_metadata\0filter_metadata\0scrim.router\0id");
const RULES = propertyPath("xds\0virtual_host_metadata\0filter_metadata\0scrim.router\0rules");
const CHOICE = literal("scrim.route");
const NONE = literal("none");
const LOG = literal("router: ");
const CHOSEN_TOTAL = literal("scrim_router_matched_total");
const UNMATCHED_TOTAL = literal("scrim_router_unmatched_total");
const REFUSED_TOTAL = literal("scrim_router_refused_total");
const TRIED = literal(" tried ");
const OF = literal(" of ");

const text = new BytesWriter(128);

/** What became of a request's route. */
export enum RouteChoice {
  /** The virtual host brings no rules: Envoy's own choice stands. */
  None,
  /** Chosen here; all its destinations are in the mesh. */
  Inside,
  /** Chosen here; it may lead out of the mesh. */
  Outside,
}

/** The configured router; its rules come with each virtual host. */
export class Router extends RootContext {
  private readonly tables: RouteTables = new RouteTables();
  private matchedMetric: u32 = 0;
  private unmatchedMetric: u32 = 0;

  override onConfigure(configuration: Bytes): bool {
    if (configuration.length > 0) return this.configureFrom(new JsonDocument(configuration, this.region).root);
    this.defineMetrics();
    return true;
  }

  /** Takes a configuration that may be a part of a larger one; false refuses it, and the log says why. */
  configureFrom(configuration: Json): bool {
    configuration.object().only([]);
    const document = configuration.document!;
    if (!document.ok) return this.reject(document.error);
    this.defineMetrics();
    return true;
  }

  private defineMetrics(): void {
    this.matchedMetric = defineMetric(MetricType.Counter, CHOSEN_TOTAL);
    this.unmatchedMetric = defineMetric(MetricType.Counter, UNMATCHED_TOTAL);
    this.tables.refusedMetric = defineMetric(MetricType.Counter, REFUSED_TOTAL);
  }

  override createHttpContext(): HttpContext {
    return new RoutedStream(this);
  }

  /** Chooses for the current request; does nothing where the virtual host brings no rules. */
  route(): RouteChoice {
    const id = getProperty(RULES_ID);
    if (id == null) return RouteChoice.None;
    const idSpan = spanOf(id.ptr, id.length);
    let table = this.tables.find(idSpan);
    if (table == null) {
      const rules = getProperty(RULES);
      if (rules == null) return RouteChoice.None;
      table = this.tables.add(idSpan, rules);
    }
    request.begin();
    const rule = table.decide(request);
    const key = rule == null ? NONE : viewBytes(viewOf(table.key));
    setProperty(CHOICE, key);
    clearRouteCache();
    incrementMetric(rule == null ? this.unmatchedMetric : this.matchedMetric);
    if (isLogged(LogLevel.Debug)) {
      logBytes(
        LogLevel.Debug,
        text
          .clear()
          .bytes(LOG)
          .bytes(id)
          .byte(0x20)
          .bytes(key)
          .bytes(TRIED)
          .integer(table.tried)
          .bytes(OF)
          .integer(table.rules.length).result,
      );
    }
    return rule != null && rule.inside ? RouteChoice.Inside : RouteChoice.Outside;
  }
}

function viewBytes(span: Span): Bytes {
  return Bytes.view(addressOf(span), lengthOf(span));
}

/** One request. */
export class RoutedStream extends HttpContext {
  choice: RouteChoice = RouteChoice.None;

  constructor(private readonly root: Router) {
    super();
  }

  override onRequestHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    this.choice = this.root.route();
    return FilterHeadersStatus.Continue;
  }
}
