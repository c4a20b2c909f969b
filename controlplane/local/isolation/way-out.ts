// Consumes: a mesh's own namespace, and the machine's.
// Produces: the way from the one to the other for connections to the world: an Envoy that takes what no pod has the
// address of, and opens the connection again from the machine's network.
// Never does: let anybody in, or change the machine's routes or rules.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../telemetry/clock.ts";
import { describeExit, startChild } from "../child-process.ts";
import { envoyCommand } from "../envoy-process.ts";
import { type Supervised, supervise } from "../supervise.ts";
import type { Namespace } from "./namespace.ts";

/** Where what leaves the mesh is led, in the mesh's own namespace. */
export const WAY_OUT_PORT = 15_100;
const EVERYWHERE = "0.0.0.0";
const CLUSTER = "machine";
const DYING_MS = 1_000;

export interface WayOutOptions {
  readonly mesh: Namespace;
  readonly envoyBinary: string;
  readonly bootstrap: string;
  /** The file of the machine's network namespace. */
  readonly machine: string;
  readonly stateDir: string;
  readonly clock: Clock;
  readonly say: (line: string) => void;
}

/** Opens the way; returns what closes it. */
export async function openWayOut(options: WayOutOptions): Promise<{ close(): Promise<void> }> {
  const { mesh, envoyBinary: binary, bootstrap, machine, clock, say } = options;
  await writeFile(mesh.path(bootstrap), JSON.stringify(buildWayOut(machine)));
  const logDir = join(options.stateDir, "logs", "way-out");
  await mkdir(logDir, { recursive: true, mode: 0o700 });
  const run = { bootstrap, logDir, concurrency: 1, env: {} };
  const envoy: Supervised = supervise({
    start: () => startChild(mesh.enter(envoyCommand(binary, run))),
    onCrash: (exit) => say(`the way out of the mesh ${describeExit(exit)} (log: ${join(logDir, "envoy.log")})`),
    clock,
  });
  return { close: () => envoy.stop(DYING_MS) };
}

/** Returns the bootstrap of that Envoy: each connection goes on to where it was to go, from the machine. */
export function buildWayOut(machine: string): Record<string, unknown> {
  const anywhere = { address: EVERYWHERE, port_value: 0, network_namespace_filepath: machine };
  return {
    node: { id: "way-out", cluster: "way-out" },
    static_resources: {
      listeners: [
        {
          name: "way-out",
          address: { socket_address: { address: EVERYWHERE, port_value: WAY_OUT_PORT } },
          listener_filters: [
            typed("envoy.filters.listener.original_dst", "filters.listener.original_dst.v3.OriginalDst"),
          ],
          filter_chains: [{ filters: [toCluster()] }],
        },
      ],
      clusters: [
        {
          name: CLUSTER,
          type: "ORIGINAL_DST",
          lb_policy: "CLUSTER_PROVIDED",
          connect_timeout: "10s",
          upstream_bind_config: { source_address: anywhere },
        },
      ],
    },
  };
}

function toCluster(): Record<string, unknown> {
  const proxy = { stat_prefix: "way_out", cluster: CLUSTER };
  return typed("envoy.filters.network.tcp_proxy", "filters.network.tcp_proxy.v3.TcpProxy", proxy);
}

function typed(name: string, message: string, fields: Record<string, unknown> = {}): Record<string, unknown> {
  return { name, typed_config: { "@type": `type.googleapis.com/envoy.extensions.${message}`, ...fields } };
}
