import { Bytes } from "./bytes";
import { Region } from "./region";

// What lives as long as the module. A text that the compiler put into the module has one address for ever, so that
// address (+1 for paths) keys a table: writing `literal("x")` inside a callback costs a lookup, not memory.

const forever = new Region();
let keys: StaticArray<usize> = new StaticArray<usize>(64);
let values: StaticArray<usize> = new StaticArray<usize>(64);
let used: i32 = 0;

/** Returns `text` in UTF-8, never freed: for constants, best at module level: `const X_USER = literal("x-user")`. */
export function literal(text: string): Bytes {
  return isConstant(text) ? find(text, changetype<usize>(text)) : forever.keepString(text);
}

/**
 * A property path ready for the host: steps separated by NUL, written here with "/" as in
 * `propertyPath("source/address")`. Where a step contains "/", write every separator as NUL: "node\0metadata\0a/b". For
 * constants, as `literal`.
 */
export function propertyPath(path: string): Bytes {
  return isConstant(path) ? find(path, changetype<usize>(path) | 1) : forever.keepString(withNuls(path));
}

// @ts-ignore: decorator
@inline
function isConstant(text: string): bool {
  return changetype<usize>(text) < __heap_base;
}

function withNuls(path: string): string {
  return path.includes("\0") ? path : path.replaceAll("/", "\0");
}

function placeOf(key: usize): i32 {
  const mask = keys.length - 1;
  let at = <i32>(key >> 2) & mask;
  while (keys[at] != key && keys[at] != 0) at = (at + 1) & mask;
  return at;
}

function find(text: string, key: usize): Bytes {
  const at = placeOf(key);
  if (keys[at] == key) return changetype<Bytes>(values[at]);
  const kept = forever.keepString((key & 1) != 0 ? withNuls(text) : text);
  if (++used * 2 > keys.length) enlarge();
  put(key, changetype<usize>(kept));
  return kept;
}

function put(key: usize, value: usize): void {
  const at = placeOf(key);
  keys[at] = key;
  values[at] = value;
}

function enlarge(): void {
  const oldKeys = keys;
  const oldValues = values;
  keys = new StaticArray<usize>(oldKeys.length * 2);
  values = new StaticArray<usize>(oldKeys.length * 2);
  for (let i = 0; i < oldKeys.length; i++) if (oldKeys[i] != 0) put(oldKeys[i], oldValues[i]);
}
