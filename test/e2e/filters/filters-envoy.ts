// One real Envoy for the four filters.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { scratchDirectory } from "../../support/children.ts";
import { type Envoy, startEnvoy } from "../../support/envoy.ts";
import { freePort } from "../../support/ports.ts";
import { TestIdentities } from "../../support/test-identities.ts";
import { filtersBootstrap, type FilterSettings } from "./filters-bootstrap.ts";

/** A running Envoy with the four filters. */
export interface FiltersEnvoy extends Envoy {
  /** Of the listeners. */
  readonly ports: { readonly mesh: number; readonly outbound: number; readonly limited: number };
  readonly identities: TestIdentities;
  /** The access log's lines: `<listener> <x-case> <code> <details>`. Envoy flushes them with a delay. */
  accessLog(): string[];
  prometheus(): Promise<string>;
}

/** Starts it with two workers and waits until its listeners answer; throws with its log if it ends. */
export async function startFiltersEnvoy(settings: FilterSettings): Promise<FiltersEnvoy> {
  const directory = scratchDirectory();
  const accessLog = join(directory, "access");
  const [identities, meshPort] = [new TestIdentities(), await freePort()];
  const envoy = await startEnvoy(filtersBootstrap(settings, { accessLog, meshPort, identities }), {
    directory,
    concurrency: 2,
    logLevel: "info",
    componentLogLevel: "wasm:debug",
  });
  await envoy.ready();
  const portOf = async (listener: string): Promise<number> =>
    Number((await envoy.listener(listener))?.split(":").at(-1));
  return {
    ...envoy,
    ports: { mesh: meshPort, outbound: await portOf("outbound"), limited: await portOf("limited") },
    identities,
    accessLog: () => (existsSync(accessLog) ? readFileSync(accessLog, "utf8").split("\n") : []),
    prometheus: () => envoy.admin("/stats/prometheus"),
  };
}
