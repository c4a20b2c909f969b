import type { BenchOptions } from "./options.ts";
export async function benchControlplane(_options: BenchOptions): Promise<object> { return {}; }
