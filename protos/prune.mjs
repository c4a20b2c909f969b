// Keeps what is reachable from the root messages, names each type once, and writes protobufjs's JSON descriptor.

/** The part of the table that the roots reach, sorted by full name; unknown roots throw. */
export function prune(table, roots) {
  const kept = new Map();
  const waiting = [...roots];
  while (waiting.length > 0) {
    const fullName = waiting.pop();
    if (kept.has(fullName)) continue;
    const type = table.get(fullName);
    if (type === undefined) throw new Error(`protos/roots.json reaches ${fullName}, which the wheel does not have`);
    kept.set(fullName, type);
    for (const field of type.fields ?? []) {
      if (field.reference !== undefined) waiting.push(field.reference);
      else if (field.type === undefined)
        throw new Error(`${fullName}.${field.name} has a type that proto3 does not know`);
    }
  }
  return new Map([...kept].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * TypeScript name → full name, sorted. A type is called by its own name, nested ones with `_`
 * (`Cluster_DiscoveryType`). Where several packages have one of the same name, `given` (full name → name, for nested
 * types too) must tell them apart.
 */
export function nameTypes(kept, given) {
  const names = new Map();
  for (const type of kept.values()) {
    const [outer, ...nested] = type.path;
    const name = [given[`${type.package}.${outer}`] ?? outer, ...nested].join("_");
    if (names.has(name))
      throw new Error(`${type.fullName} and ${names.get(name)} are both called ${name}: name one in protos/roots.json`);
    names.set(name, type.fullName);
  }
  return new Map([...names].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The JSON that `protobuf.Root.fromJSON` takes. */
export function toDescriptorJson(kept) {
  const root = { nested: {} };
  for (const type of kept.values()) {
    let scope = root;
    for (const part of [...type.package.split("."), ...type.path.slice(0, -1)]) {
      scope.nested ??= {};
      scope = scope.nested[part] ??= {};
    }
    scope.nested ??= {};
    const name = type.path.at(-1);
    scope.nested[name] = {
      ...scope.nested[name],
      ...(type.kind === "enum" ? { values: type.values } : messageJson(type)),
    };
  }
  return root;
}

function messageJson(type) {
  const oneofs = {};
  const fields = {};
  for (const field of type.fields) {
    if (field.oneof !== undefined) (oneofs[field.oneof] ??= { oneof: [] }).oneof.push(field.name);
    fields[field.name] = {
      ...(field.repeated ? { rule: "repeated" } : {}),
      ...(field.keyType === undefined ? {} : { keyType: field.keyType }),
      type: field.reference === undefined ? field.type : `.${field.reference}`,
      id: field.id,
      ...(field.protoName === field.name ? {} : { protoName: field.protoName }),
    };
  }
  return Object.keys(oneofs).length === 0 ? { fields } : { oneofs, fields };
}
