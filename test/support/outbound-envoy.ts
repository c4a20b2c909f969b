// One Envoy that serves what translation makes of a mesh, without a control plane: for tests of the way out.
import { translateProxy } from "../../controlplane/cli/translate-proxy.ts";
import { loadText } from "../../controlplane/store/load.ts";
import type { EmittedResources } from "../../controlplane/translate/emit/resources.ts";
import type { PluginModules } from "../../controlplane/translate/ir/modules.ts";
import { buildStaticBootstrap } from "../golden/static-bootstrap.ts";
import { type Envoy, startEnvoy } from "./envoy.ts";
import { isOpen } from "./ports.ts";
import { until } from "./until.ts";

const modules: PluginModules = {
  builtin: () => ({ sha256: "none", bytes: new Uint8Array() }),
  plugin: () => ({ kind: "pending" }),
  differsByProxy: () => false,
};

/** Returns an Envoy that serves `workload` of the mesh in `yaml`, once its port answers. Wasm filters are left out. */
export async function startOutboundEnvoy(yaml: string, workload: string, port: number): Promise<Envoy> {
  const envoy = await startEnvoy(buildStaticBootstrap(resourcesOf(yaml, workload), { deliveredFilters: "drop" }));
  await until(() => isOpen(port), `an answer on port ${port}`, envoy.log);
  return envoy;
}

/** Returns what translation makes of the mesh in `yaml` for one of its workloads; throws where something is wrong. */
export function resourcesOf(yaml: string, workload: string): EmittedResources {
  const { world, violations } = loadText(yaml);
  const errors = violations.filter((violation) => violation.severity === "error");
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  const translation = translateProxy(world, workload, modules);
  if (translation.kind === "failed") throw new Error(translation.message);
  return translation.resources;
}
