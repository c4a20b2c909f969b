// consumes: the entries of one chain, in its order
// produces: the same chain, with functions that stand side by side in one place
// never does: bring two functions together that fail differently, or that something stands between; let a place depend
// on what there is to do in it
import type { WasmModule } from "../../model/wasm-module.ts";
import type { HttpFilter } from "../../../protos/build/envoy.ts";
import type { FunctionFilter, WasmFilter } from "../ir/filters.ts";

/** One entry of a chain: a function, a plugin, or a filter of Envoy's own. */
export type ChainEntry =
  | { readonly kind: "function"; readonly filter: FunctionFilter }
  | { readonly kind: "plugin"; readonly filter: WasmFilter }
  | { readonly kind: "native"; readonly filter: HttpFilter };

/** What stands in a chain in the end. */
export type PlacedFilter =
  | { readonly kind: "wasm"; readonly filter: WasmFilter }
  | { readonly kind: "native"; readonly filter: HttpFilter };

/** Returns the places of a chain. `meshModule` undefined: every function has a place of its own. */
export function shareModules(
  entries: readonly ChainEntry[],
  meshModule: WasmModule | undefined,
): readonly PlacedFilter[] {
  const places: PlacedFilter[] = [];
  let neighbours: FunctionFilter[] = [];
  const settle = (): void => {
    const [first, ...others] = neighbours;
    if (first !== undefined)
      places.push({
        kind: "wasm",
        filter: others.length === 0 || meshModule === undefined ? first : sharedFilter(neighbours, meshModule),
      });
    neighbours = [];
  };
  for (const entry of entries) {
    const fits =
      entry.kind === "function" &&
      meshModule !== undefined &&
      neighbours.every(({ failureMode }) => failureMode === entry.filter.failureMode);
    if (!fits) settle();
    if (entry.kind === "function") neighbours.push(entry.filter);
    else places.push(entry.kind === "plugin" ? { kind: "wasm", filter: entry.filter } : entry);
  }
  settle();
  return places;
}

/**
 * Returns the one filter of neighbours, e.g. `scrim.ratelimit+scrim.telemetry.inbound`: named after all that may run
 * there, so that the name stays when policies come and go. A function that is alone in having something to do does it
 * in its own, smaller module. The VM's id is that of the rate limit, whose buckets thereby outlive every change of who
 * shares its module.
 */
function sharedFilter(neighbours: readonly FunctionFilter[], meshModule: WasmModule): WasmFilter {
  const name = neighbours.map((filter) => filter.name).join("+");
  const busy = neighbours.filter(({ module }) => module.kind !== "idle");
  const { failureMode, environment, hostEnvironment } = neighbours[0] as FunctionFilter;
  const keeper = neighbours.find(({ runs }) => runs === "ratelimit");
  const common = { name, rootId: name, vmId: keeper?.vmId ?? "scrim.mesh", environment, hostEnvironment, failureMode };
  const [only, ...others] = busy;
  if (only === undefined) return { ...common, module: { kind: "idle" }, configuration: "" };
  if (others.length === 0) return { ...common, module: only.module, configuration: only.configuration };
  return {
    ...common,
    module: { kind: "module", module: meshModule },
    configuration: `{${busy.map(({ runs, configuration }) => `"${runs}":${configuration}`).join(",")}}`,
  };
}
