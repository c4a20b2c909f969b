// Where things lie, told from the bundle's place in build/bench, or from this file's own in tests.
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository. */
export const root = fileURLToPath(new URL(import.meta.url.endsWith("/places.ts") ? ".." : "../..", import.meta.url));
/** What benches build and write. */
export const out = join(root, "build/bench");
