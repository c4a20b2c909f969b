// A compiler transform: a callback that a filter overrides but does not export would silently never run, and a stateful
// filter without proxy_on_delete would never get its objects back. Both are build errors here.

const SDK = "~lib/as-proxy-wasm-sdk/";
const EXPORT_OF = new Map(
  Object.entries({
    onVmStart: "proxy_on_vm_start",
    onConfigure: "proxy_on_configure",
    onTick: "proxy_on_tick",
    onDone: "proxy_on_done",
    onRequestHeaders: "proxy_on_request_headers",
    onRequestBody: "proxy_on_request_body",
    onRequestTrailers: "proxy_on_request_trailers",
    onResponseHeaders: "proxy_on_response_headers",
    onResponseBody: "proxy_on_response_body",
    onResponseTrailers: "proxy_on_response_trailers",
    onLog: "proxy_on_log",
    onHttpCallResponse: "proxy_on_http_call_response",
    onQueueReady: "proxy_on_queue_ready",
    onGrpcInitialMetadata: "proxy_on_grpc_receive_initial_metadata",
    onGrpcMessage: "proxy_on_grpc_receive",
    onGrpcTrailingMetadata: "proxy_on_grpc_receive_trailing_metadata",
    onGrpcClose: "proxy_on_grpc_close",
    onNewConnection: "proxy_on_new_connection",
    onDownstreamData: "proxy_on_downstream_data",
    onUpstreamData: "proxy_on_upstream_data",
    onDownstreamClose: "proxy_on_downstream_connection_close",
    onUpstreamClose: "proxy_on_upstream_connection_close",
  }),
);
const ALWAYS = ["proxy_abi_version_0_2_1", "proxy_on_context_create", "proxy_on_configure"];
/** The callbacks that a filter with exports of `exports-once` may implement. */
const ONCE = new Set(["onVmStart", "onConfigure", "onRequestHeaders"]);

function basesOf(prototype) {
  const names = [];
  for (let base = prototype.basePrototype; base; base = base.basePrototype) names.push(base.internalName);
  return names;
}

function isContext(prototype) {
  return basesOf(prototype).some(
    (name) => name === `${SDK}stream-context/StreamContext` || name === `${SDK}root-context/RootContext`,
  );
}

/** The names an entry file exports. */
function exportedNames(program) {
  const names = new Set();
  for (const file of program.filesByName.values()) {
    if (file.source.sourceKind !== 1 /* SourceKind.UserEntry */) continue;
    for (const name of file.exports?.keys() ?? []) names.add(name);
  }
  return names;
}

/** Each callback that some class of the program overrides: its name and one class that does. */
function overriddenCallbacks(program) {
  const found = new Map();
  for (const element of program.elementsByDeclaration.values()) {
    if (element.basePrototype === undefined || element.instanceMembers === undefined) continue;
    if (element.internalName.startsWith(SDK) || !isContext(element)) continue;
    for (const member of element.instanceMembers?.keys() ?? [])
      if (EXPORT_OF.has(member)) found.set(member, element.name);
  }
  return found;
}

/** What is wrong with how a filter's streams end: by proxy_on_delete, or by exports that make it needless. */
function endProblems(program, exported) {
  const takes = (file, names) =>
    [...program.filesByName.values()].some(
      (one) =>
        one.source.sourceKind === 1 &&
        names.some((name) => one.exports?.get(name)?.declaration.range.source.internalPath === `${SDK}${file}`),
    );
  if (takes("exports-once", ["proxy_on_request_headers"])) {
    const more = [...overriddenCallbacks(program)]
      .filter(([callback]) => !ONCE.has(callback))
      .map(([callback, owner]) => `${owner}.${callback}`);
    if (more.length > 0)
      return [
        `${more.join(", ")} cannot be together with exports-once: take all exports from "as-proxy-wasm-sdk/exports"`,
      ];
    return takes("exports-once", ["proxy_on_context_create"])
      ? []
      : ["index.ts must take proxy_on_context_create from exports-once too"];
  }
  if (takes("exports-last", ["proxy_on_log", "proxy_on_response_headers"]))
    return takes("exports-last", ["proxy_on_context_create"])
      ? []
      : ["index.ts must take proxy_on_context_create from exports-last too"];
  return exported.has("proxy_on_delete") ? [] : ["index.ts must export proxy_on_delete"];
}

export const exportsCheck = {
  afterInitialize(program) {
    const exported = exportedNames(program);
    const missing = ALWAYS.filter((name) => !exported.has(name)).map((name) => `index.ts must export ${name}`);
    if (!exported.has("malloc") && !exported.has("proxy_on_memory_allocate"))
      missing.push("index.ts must export malloc");
    missing.push(...endProblems(program, exported));
    for (const [callback, owner] of overriddenCallbacks(program)) {
      const name = EXPORT_OF.get(callback);
      if (!exported.has(name) && !ALWAYS.includes(name))
        missing.push(`${owner}.${callback} is implemented but index.ts does not export ${name}`);
    }
    if (missing.length > 0) {
      const error = new Error(missing.join("\n"));
      error.stack = error.message;
      throw error;
    }
  },
};
