// What tests of resolving start from: a mesh of YAML, a proxy, modules that are only names.
import type { PluginState } from "../../model/plugin.ts";
import type { WasmModule } from "../../model/wasm-module.ts";
import { loadText } from "../../store/load.ts";
import { createInputs } from "../../world/inputs.ts";
import type { World } from "../../world/world.ts";
import type { PluginModules } from "../ir/modules.ts";
import type { MeshProxy, ProxyClass } from "../ir/proxy-class.ts";
import type { Inputs } from "./modules.ts";

/** Returns the mesh of a YAML text; throws when something in it is not as it should be. */
export function worldOf(yaml: string): World {
  const { world, violations } = loadText(yaml);
  const errors = violations.filter((violation) => violation.severity === "error");
  if (errors.length > 0)
    throw new Error(
      errors.map((violation) => `${violation.object} ${violation.field}: ${violation.message}`).join("\n"),
    );
  return world;
}

/** Returns the mesh of a YAML text, and modules beside it. */
export function inputsOf(yaml: string, modules = modulesOf()): Inputs {
  return createInputs(worldOf(yaml), modules);
}

/** Returns the class of the sidecars of `reviews-v1` in `default` that listen on 9080, with what is different. */
export function sidecar(changes: Partial<ProxyClass> = {}): ProxyClass {
  return {
    kind: "sidecar",
    namespace: "default",
    workload: "reviews-v1",
    serviceAccount: "reviews",
    labels: { app: "reviews", version: "v1" },
    ports: [{ port: 9080, name: "http", boundPort: 9080, isServed: true }],
    goesOut: true,
    ...changes,
  };
}

/** Returns a proxy of this class. */
export function proxyOf(proxyClass: ProxyClass, address = "127.10.4.7"): MeshProxy {
  return {
    class: proxyClass,
    address,
    listens: proxyClass.ports.map(({ port, name, boundPort, isServed }) => ({
      port,
      name,
      bind: { address, port: boundPort },
      ...(isServed && { application: { address: "127.0.0.1", port: 32_153 + port } }),
    })),
    outbound: proxyClass.goesOut ? { address, port: 15_001 } : undefined,
  };
}

/** Returns modules whose bytes are their names; plugins are as `plugins` says by `<namespace>/<name>`, else present. */
export function modulesOf(plugins: Readonly<Record<string, PluginState>> = {}): PluginModules {
  return {
    builtin: (name) => moduleNamed(name),
    differsByProxy: () => false,
    plugin: (namespace, name) =>
      plugins[`${namespace}/${name}`] ?? {
        kind: "module",
        module: moduleNamed(`${namespace}/${name}`),
        settings: { configuration: "", rootId: "", environment: {}, hostEnvironment: [] },
      },
  };
}

function moduleNamed(name: string): WasmModule {
  return { sha256: name, bytes: new TextEncoder().encode(name) };
}
