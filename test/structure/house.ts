// The rooms of the house in the order of the data: each may import from those that are named with it, which stand
// before it, and from nothing else of ours. `main.ts` and the commands see everything: they are where the rooms meet.

/** A room of `controlplane/` and what it may import from. */
export const house: readonly (readonly [room: string, from: readonly string[]])[] = [
  ["model", []],
  ["telemetry", []],
  ["disk", []],
  ["envoy", ["disk"]],
  ["stages", []],
  ["listen", ["model"]],
  ["settings", ["model", "telemetry"]],
  ["kubernetes", ["model", "telemetry", "stages", "settings"]],
  ["source", ["model", "telemetry", "stages", "settings", "kubernetes"]],
  ["validate", ["model"]],
  ["world", ["model"]],
  ["store", ["model", "telemetry", "disk", "stages", "settings", "source", "validate", "world"]],
  ["pods", ["model", "world"]],
  ["capture", ["model", "pods"]],
  ["translate/ir", ["model", "pods"]],
  ["translate/resolve", ["model", "world", "pods", "translate/ir"]],
  ["analyze", ["model", "validate", "world", "pods", "translate/resolve"]],
  ["translate/emit", ["model", "world", "translate/ir"]],
  ["translate", ["model", "world", "translate/ir", "translate/resolve", "translate/emit"]],
  ["snapshot", ["model", "telemetry", "world", "translate/emit"]],
  ["xds", ["model", "telemetry", "listen", "snapshot"]],
  ["ca", ["model", "telemetry", "disk", "stages", "settings", "kubernetes", "world"]],
  ["identity", ["model", "telemetry", "stages", "settings", "kubernetes", "world", "xds", "ca"]],
  ["wasm", ["model", "telemetry", "disk", "stages", "settings", "world"]],
  [
    "proxies",
    [
      ...["model", "telemetry", "envoy", "stages", "settings", "world", "store", "pods", "translate/ir"],
      ...["translate/resolve", "translate", "snapshot", "xds", "ca", "wasm"],
    ],
  ],
  [
    "rollout",
    [
      ...["model", "telemetry", "disk", "stages", "settings", "world", "pods", "translate/ir", "translate/resolve"],
      ...["xds", "wasm", "proxies"],
    ],
  ],
  [
    "admin",
    [
      ...["model", "telemetry", "disk", "stages", "listen", "settings", "validate", "world", "store", "analyze"],
      ...["pods", "translate/resolve", "snapshot", "xds", "wasm", "proxies", "rollout"],
    ],
  ],
  [
    "status",
    [
      ...["model", "telemetry", "stages", "kubernetes", "validate", "world", "pods", "translate/ir"],
      ...["translate/resolve", "proxies", "admin"],
    ],
  ],
  ["bootstrap", ["model"]],
  ["injector", ["model", "validate", "world", "pods", "capture", "bootstrap"]],
  ["webhooks", ["model", "telemetry", "stages", "listen", "kubernetes", "validate", "world", "ca", "injector"]],
  ["install", ["model", "telemetry", "settings", "kubernetes", "injector", "webhooks"]],
  [
    "local",
    [
      ...["model", "telemetry", "disk", "listen", "settings", "source", "world", "store", "pods", "admin"],
      ...["capture", "bootstrap"],
    ],
  ],
  ["main", []],
  ["cli", []],
];

/** Rooms that may see every room before them. */
export const meetingRooms: ReadonlySet<string> = new Set(["main", "cli"]);

/**
 * What the control plane may take from outside its folder: the codecs of Envoy's API, the Wasm host and the SDK's
 * compiler as packages (production runs modules in the host), what filters' configurations hold, and the names that
 * both sides know.
 */
export const shared: readonly RegExp[] = [
  /^protos\//,
  /^filters\/[a-z]+\/(?:config|rules)\.schema\.ts$/,
  /^filters\/telemetry\/labels\.ts$/,
  /^package\.json$/,
];

/** The folders beside `controlplane/`, and which of the others they may import from. */
export const neighbours: Readonly<Record<string, readonly string[]>> = {
  protos: [],
  filters: [],
  "test/host": [],
  deploy: ["controlplane", "protos"],
  controlplane: ["protos", "filters"],
  test: ["protos", "filters", "controlplane", "deploy", "test/host"],
  bench: ["protos", "filters", "controlplane", "deploy", "test"],
};
