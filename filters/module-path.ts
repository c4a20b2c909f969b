import { fileURLToPath } from "node:url";

/**
 * Where the built module of a filter lies: "authz", or "examples/add-header" for one of the examples, or
 * "fixtures/mirror-fast" for a module of the SDK's own tests, which `buildFixture` builds, or "rust/stamp" for one
 * written with another SDK.
 */
export function modulePath(name: string): string {
  return fileURLToPath(
    new URL(/^(fixtures|rust|go)\//.test(name) ? `../build/${name}.wasm` : `build/${name}.wasm`, import.meta.url),
  );
}
