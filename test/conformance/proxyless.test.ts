// A client that is not ours: gRPC's own xDS client for Node, as an application without a proxy, over aggregated state
// of the world.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSystemClock } from "../../controlplane/telemetry/clock.ts";
import { createResourceCache } from "../../controlplane/xds/resource-cache.ts";
import { createXdsServer, type XdsServer } from "../../controlplane/xds/server.ts";
import { until } from "../support/until.ts";
import { type Backend, routeTo, setBackend, setGreeter, startBackend } from "./proxyless-world.ts";

const silent = { info: () => undefined, warn: () => undefined, error: (fields: object) => console.error(fields) };

class Application {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  #taken = 0;

  constructor(xdsPort: number) {
    const bootstrap = {
      xds_servers: [
        { server_uri: `127.0.0.1:${xdsPort}`, channel_creds: [{ type: "insecure" }], server_features: ["xds_v3"] },
      ],
      node: { id: "application", locality: {} },
    };
    const script = fileURLToPath(new URL("./proxyless-client.mjs", import.meta.url));
    this.#child = spawn(process.execPath, [script, "xds:///greeter"], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { PATH: process.env["PATH"], GRPC_XDS_BOOTSTRAP_CONFIG: JSON.stringify(bootstrap) },
    });
    createInterface({ input: this.#child.stdout! }).on("line", (line) => this.#lines.push(line));
  }

  async call(text: string): Promise<string> {
    this.#child.stdin!.write(`${text}\n`);
    await until(() => this.#lines.length > this.#taken, "an answer");
    return this.#lines[this.#taken++]!;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const isOver = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await isOver;
  }
}

describe("an application without a proxy", () => {
  let one: Backend;
  let two: Backend;
  let server: XdsServer;
  let application: Application;
  const cache = createResourceCache();
  const group = cache.group("all");

  beforeAll(async () => {
    [one, two] = await Promise.all([startBackend("one"), startBackend("two")]);
    setGreeter(group);
    setBackend(group, "one", one.port);
    routeTo(group, "one");
    cache.publish();
    server = createXdsServer({
      ...cache.source(() => "all"),
      plaintext: { host: "127.0.0.1", port: 0 },
      clock: createSystemClock(),
      log: silent,
    });
    cache.onPublish(server.notify);
    await server.listen();
    application = new Application(server.plaintextAddress()!.port);
  });
  afterAll(async () => {
    await application.stop();
    await server.close();
    one.stop();
    two.stop();
  });
  const synced = () =>
    until(
      () => server.status()[0]?.synced === true,
      "a synced application",
      () => JSON.stringify(server.status()),
    );

  it("finds its server: listener, route with its virtual host inside, cluster, endpoints", async () => {
    expect(await application.call("hello")).toBe("one heard hello");
    await synced();
    expect(server.status()).toMatchObject([
      {
        nodeId: "application",
        types: {
          lds: { state: "SYNCED" },
          rds: { state: "SYNCED" },
          cds: { state: "SYNCED" },
          eds: { state: "SYNCED" },
          vhds: { state: "IGNORED" },
        },
      },
    ]);
    expect(server.held("application")?.rds?.watched).toEqual(["greetings"]);
  });

  it("follows a route to a new cluster, call by call without a failure", async () => {
    setBackend(group, "two", two.port);
    routeTo(group, "two");
    group.delete("clusters", "one");
    group.delete("endpoints", "one");
    cache.publish();
    const answers = new Set<string>();
    for (let call = 0; call < 200 && !answers.has("two heard hello"); call++)
      answers.add(await application.call("hello"));
    expect([...answers].filter((answer) => !/^(one|two) heard hello$/.test(answer))).toEqual([]);
    expect(answers).toContain("two heard hello");
  });

  it("follows endpoints", async () => {
    setBackend(group, "two", one.port);
    cache.publish();
    const answers = new Set<string>();
    for (let call = 0; call < 200 && !answers.has("one heard hello"); call++)
      answers.add(await application.call("hello"));
    expect(answers).toContain("one heard hello");
  });

  it("says what it cannot use, keeps what it had, and takes the next", async () => {
    group.set("clusters", "two", { name: "two", type: "ORIGINAL_DST" });
    cache.publish();
    await until(
      () => server.status()[0]?.types.cds.state === "ERROR",
      "the rejection",
      () => JSON.stringify(server.status()),
    );
    expect(server.status()[0]!.rejections).toMatchObject([
      { type: "cds", resources: ["two"], message: expect.stringMatching(/./) },
    ]);
    expect(await application.call("hello")).toBe("one heard hello");
    setBackend(group, "two", one.port);
    cache.publish();
    await synced();
    expect(await application.call("hello")).toBe("one heard hello");
  });

  it("comes back by itself when the server starts anew", async () => {
    const { port } = server.plaintextAddress()!;
    await server.close();
    server = createXdsServer({
      ...cache.source(() => "all"),
      plaintext: { host: "127.0.0.1", port },
      clock: createSystemClock(),
      log: silent,
    });
    await server.listen();
    expect(await application.call("hello")).toBe("one heard hello");
    await synced();
  });
});
