// What a module may do beside looking at its configuration, logging and reading the clock: names for groups of Envoy's
// host functions and callbacks. Envoy enforces a list of such functions (capability_restriction_config): one that is
// not on it answers an error, a callback that is not on it is not called.
import { type Failure, failed } from "./failure.ts";

/** What of a module counts here: what it imports and exports. */
export interface ModuleSurface {
  readonly imports: readonly { readonly name: string; readonly kind: string }[];
  readonly exports: readonly { readonly name: string; readonly kind: string }[];
}

const ENV_PREFIX = "proxy_";

const functions = (...names: readonly string[]) => names.map((name) => `${ENV_PREFIX}${name}`);

/**
 * Host functions and callbacks by what they are good for. A callback in a group is called only when the group is
 * allowed; those in none always.
 */
const groups: Readonly<Record<string, readonly string[]>> = {
  "headers-read": functions("get_header_map_value", "get_header_map_pairs", "get_header_map_size"),
  "headers-write": functions(
    "add_header_map_value",
    "replace_header_map_value",
    "remove_header_map_value",
    "set_header_map_pairs",
  ),
  body: functions("set_buffer_bytes", "on_request_body", "on_response_body"),
  "properties-read": functions("get_property"),
  "properties-write": functions("set_property"),
  "local-reply": functions("send_local_response", "close_stream"),
  "http-calls": functions("http_call", "on_http_call_response"),
  "grpc-calls": functions(
    "grpc_call",
    "grpc_stream",
    "grpc_send",
    "grpc_close",
    "grpc_cancel",
    "on_grpc_receive",
    "on_grpc_close",
    "on_grpc_receive_initial_metadata",
    "on_grpc_receive_trailing_metadata",
  ),
  "shared-data": functions("get_shared_data", "set_shared_data"),
  "shared-queues": functions(
    "register_shared_queue",
    "resolve_shared_queue",
    "enqueue_shared_queue",
    "dequeue_shared_queue",
    "on_queue_ready",
  ),
  metrics: functions("define_metric", "increment_metric", "record_metric", "get_metric"),
  timers: functions("set_tick_period_milliseconds", "on_tick"),
  "foreign-functions": functions("call_foreign_function", "on_foreign_function"),
  connections: functions(
    "on_new_connection",
    "on_downstream_data",
    "on_upstream_data",
    "on_downstream_connection_close",
    "on_upstream_connection_close",
  ),
};

/** Names that stand for several groups. */
const unions: Readonly<Record<string, readonly string[]>> = {
  headers: ["headers-read", "headers-write"],
  properties: ["properties-read", "properties-write"],
};

const groupOf: ReadonlyMap<string, string> = new Map(
  Object.entries(groups).flatMap(([group, names]) => names.map((name) => [name, group] as const)),
);

/** Names that a manifest or a grant may use, for messages. */
const capabilityNames: readonly string[] = [...Object.keys(unions), ...Object.keys(groups)];

/**
 * Returns the host functions and callbacks that a capability's name stands for (a group, or one function by its own
 * name); undefined when there is no such name.
 */
function expandCapability(name: string): readonly string[] | undefined {
  if (Object.hasOwn(unions, name)) return unions[name]?.flatMap((group) => groups[group] ?? []);
  if (Object.hasOwn(groups, name)) return groups[name];
  return groupOf.has(name) ? [name] : undefined;
}

export type CapabilityList =
  | { readonly kind: "capabilities"; readonly names: readonly string[] }
  | Failure<"unknown-capability">;

/** Returns the capabilities in a text such as `headers, http-calls`; a failure names the word that is none. */
export function parseCapabilities(words: readonly string[]): CapabilityList {
  const unknown = words.find((word) => expandCapability(word) === undefined);
  if (unknown === undefined) return { kind: "capabilities", names: words };
  const known = `${capabilityNames.join(", ")}, and single functions such as proxy_http_call`;
  return failed("unknown-capability", `${JSON.stringify(unknown)} is no capability: there are ${known}`);
}

function expandAll(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.flatMap((name) => expandCapability(name) ?? []));
}

/**
 * Returns the groups that a module wants, sorted: those its manifest declares, or, where it declares nothing, those of
 * which it imports a function. Its imports are all that it can ever call.
 */
export function wantedGroups(
  { imports }: Pick<ModuleSurface, "imports">,
  declared: readonly string[] | undefined,
): readonly string[] {
  const named = declared === undefined ? imports.map(({ name }) => name) : [...expandAll(declared)];
  return groupsOf(named);
}

/** Returns the groups to which functions belong, sorted; those in none are every module's. */
export function groupsOf(names: readonly string[]): readonly string[] {
  return [...new Set(names.flatMap((name) => groupOf.get(name) ?? []))].sort();
}

/** Returns the groups that are wanted and not granted. */
export function notGranted(wanted: readonly string[], granted: readonly string[]): readonly string[] {
  const given = new Set([...expandAll(granted)].flatMap((name) => groupOf.get(name) ?? []));
  return wanted.filter((group) => !given.has(group));
}

/**
 * Returns the groups that a manifest does not declare although the module imports a function of theirs: calls that
 * Envoy will refuse.
 */
export function undeclaredImports(
  { imports }: Pick<ModuleSurface, "imports">,
  declared: readonly string[],
): readonly string[] {
  const allowed = expandAll(declared);
  return [...new Set(imports.flatMap(({ name }) => (groupOf.has(name) && !allowed.has(name) ? [name] : [])))].sort();
}

/**
 * Returns the list for Envoy: of what the module imports and exports, everything in no group, and what `allowed` (names
 * as in a manifest) stands for.
 */
export function envoyCapabilities({ imports, exports }: ModuleSurface, allowed: readonly string[]): readonly string[] {
  const given = expandAll(allowed);
  const names = [
    ...imports.filter(({ kind }) => kind === "function"),
    ...exports.filter(({ name, kind }) => kind === "function" && name.startsWith(ENV_PREFIX)),
  ].map(({ name }) => name);
  return [...new Set(names.filter((name) => !groupOf.has(name) || given.has(name)))].sort();
}
