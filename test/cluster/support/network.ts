// Requests of a test to addresses of the cluster's network.
import { once } from "node:events";
import http from "node:http";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inject } from "vitest";
import { startChild } from "../../support/children.ts";
import { insideCluster } from "../cluster.mjs";

const relay = fileURLToPath(new URL("../machine/relay.mjs", import.meta.url));
let socket: Promise<string> | undefined;

/** Returns an agent whose connections begin on the cluster's first node. */
export async function clusterAgent(options: http.AgentOptions = {}): Promise<http.Agent> {
  socket ??= startRelay();
  const path = await socket;
  const agent = new http.Agent(options);
  const createConnection = ({ host, port }: { host: string; port: string | number }): Socket => {
    const connection = connect({ path });
    connection.write(`${host}:${port}\n`);
    return connection;
  };
  return Object.assign(agent, { createConnection });
}

async function startRelay(): Promise<string> {
  const path = join(inject("cluster"), `relay-${process.pid}.sock`);
  const [program = "", ...args] = insideCluster(inject("cluster"), [process.execPath, relay, path]);
  const child = startChild(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  if (child.stdout) await once(child.stdout, "data");
  // Nobody waits for it: it ends with this process.
  child.unref();
  for (const stream of [child.stdin, child.stdout]) (stream as Socket | null)?.unref();
  return path;
}
