// consumes: the command line
// produces: one bench's results, on standard output and as JSON
// never does: run two benches at once
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { benchChain } from "./chain.ts";
import { benchControlplane } from "./controlplane.ts";
import { benchEndurance } from "./endurance.ts";
import { benchFilters } from "./filters.ts";
import { benchHotswap } from "./hotswap.ts";
import { type Bench, type BenchOptions, HELP, parseOptions } from "./options.ts";

const benches: Readonly<Record<Bench, (options: BenchOptions, print: (line: string) => void) => Promise<object>>> = {
  filters: benchFilters,
  hotswap: benchHotswap,
  controlplane: benchControlplane,
  endurance: benchEndurance,
  chain: benchChain,
};

/**
 * Runs what the arguments ask for and returns the exit code: 0, 1 when the bench failed, 2 when the arguments are
 * wrong.
 */
export async function main(args: readonly string[]): Promise<number> {
  const parsed = parseOptions(args);
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  if (parsed.kind === "help") {
    print(HELP);
    return 0;
  }
  if (parsed.kind === "refused") {
    process.stderr.write(`${parsed.message}\n`);
    return 2;
  }
  try {
    const results = await benches[parsed.options.bench](parsed.options, print);
    if (parsed.options.json !== undefined) {
      const file = resolve(parsed.options.json);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, `${JSON.stringify(results, undefined, 1)}\n`);
    }
    return 0;
  } catch (error) {
    process.stderr.write(
      `bench ${parsed.options.bench} failed: ` +
        `${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    return 1;
  }
}
