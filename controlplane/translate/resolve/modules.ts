// The modules at hand as a part of what answers are made from: each plugin is an input of its own.
import { isDeepStrictEqual } from "node:util";
import type { PluginState, PluginVersion } from "../../model/plugin.ts";
import type { BuiltinFilter, WasmModule } from "../../model/wasm-module.ts";
import { derived } from "../../world/derive.ts";
import { withCompanion, type World } from "../../world/world.ts";
import type { PluginModules } from "../ir/modules.ts";

const combined = new WeakMap<World, World>();

/** Returns the World with these modules beside it. Modules that may have changed must be another object. */
export function withModules(world: World, modules: PluginModules): World {
  if (world.companion === modules) return world;
  let both = combined.get(world);
  if (both?.companion !== modules) combined.set(world, (both = withCompanion(world, modules)));
  return both;
}

/** Returns the modules beside a World; an answer that asks them for one plugin depends on that plugin only. */
export function modulesBeside(world: World): PluginModules {
  return {
    builtin: (name) => builtinModule(world, name),
    // Proxies share the answer unless this plugin is being rolled out.
    plugin: (namespace, name, proxy) =>
      pluginState(world, namespace, name, differsByProxy(world, namespace, name) ? proxy : ""),
    differsByProxy: (namespace, name) => differsByProxy(world, namespace, name),
  };
}

const builtinModule = derived((world: World, name: BuiltinFilter): WasmModule => companionOf(world).builtin(name));

const differsByProxy = derived((world: World, namespace: string, name: string): boolean =>
  companionOf(world).differsByProxy(namespace, name),
);

const pluginState = derived(
  (world: World, namespace: string, name: string, proxy: string): PluginState =>
    companionOf(world).plugin(namespace, name, proxy),
  { same: isSameState },
);

/** A module is the same while its object is: its bytes are not looked at. */
function isSameState(before: PluginState, after: PluginState): boolean {
  if (before.kind === "module") return after.kind === "module" && isSameVersion(before, after);
  if (before.kind === "split")
    return (
      after.kind === "split" &&
      before.percent === after.percent &&
      isSameVersion(before.first, after.first) &&
      isSameVersion(before.rest, after.rest)
    );
  return isDeepStrictEqual(before, after);
}

function isSameVersion(before: PluginVersion, after: PluginVersion): boolean {
  return before.module === after.module && isDeepStrictEqual(before.settings, after.settings);
}

function companionOf(world: World): PluginModules {
  const { companion } = world;
  if (companion === undefined) throw new RangeError("this World has no modules beside it");
  // Only withModules puts one there.
  return companion as PluginModules;
}
