import type { BenchOptions } from "./options.ts";
export async function benchHotswap(_options: BenchOptions): Promise<object> { return {}; }
