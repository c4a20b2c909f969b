// consumes: the id and the text of a virtual host's rules
// produces: its compiled table, made once per id
// never does: grow without bound: past either limit everything is forgotten and made again when asked for
import { Bytes, collectLater, incrementMetric, JsonDocument, log, LogLevel, Region } from "as-proxy-wasm-sdk";
import { copyOf, equals, hash, HASH_SEED, Span, viewOf } from "../policy/bytes";
import { RouteTable } from "../policy/route-match";
import { parseRoutes } from "./config";

/** The most tables kept. */
const MOST_TABLES = 1024;
/** The most bytes of rules (as JSON) that tables are kept of. */
const MOST_BYTES = 4 << 20;

class CachedTable {
  constructor(
    readonly id: StaticArray<u8>,
    readonly table: RouteTable,
  ) {}
}

/** The tables of one configured router. */
export class RouteTables {
  private cache: Map<u64, CachedTable> = new Map<u64, CachedTable>();
  private bytes: i32 = 0;
  /** Counts lists with a mistake. */
  refusedMetric: u32 = 0;

  /** Returns the table made for `id`, or null when there is none. */
  find(id: Span): RouteTable | null {
    const key = hash(id, HASH_SEED);
    if (!this.cache.has(key)) return null;
    const cached = this.cache.get(key);
    return equals(viewOf(cached.id), id) ? cached.table : null;
  }

  /**
   * Compiles `rules` and keeps the table for `id`. Rules with a mistake give a table that matches nothing, and an error
   * in the log.
   */
  add(id: Span, rules: Bytes): RouteTable {
    collectLater();
    const region = new Region();
    const document = new JsonDocument(rules, region);
    let table = parseRoutes(document);
    region.free();
    if (!document.ok) {
      incrementMetric(this.refusedMetric);
      log(LogLevel.Error, "router: rules refused, nothing matches: " + document.error);
      table = new RouteTable();
    }
    if (this.cache.size >= MOST_TABLES || this.bytes + rules.length > MOST_BYTES) {
      this.cache.clear();
      this.bytes = 0;
    }
    this.bytes += rules.length;
    this.cache.set(hash(id, HASH_SEED), new CachedTable(copyOf(id), table));
    return table;
  }
}
