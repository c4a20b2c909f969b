// A client that is not ours: gRPC's own xDS client for Node, as an application without a proxy, over aggregated state of the world.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSystemClock } from "../../controlplane/telemetry/clock.ts";
import { createResourceCache, type ResourceGroup } from "../../controlplane/xds/resource-cache.ts";
import { createXdsServer, type XdsServer } from "../../controlplane/xds/server.ts";
import { durationFromMs, packAny } from "../../protos/codec.ts";
import { until } from "./envoy-process.ts";

const silent = { info: () => undefined, warn: () => undefined, error: (fields: object) => console.error(fields) };
const ads = { ads: {}, resourceApiVersion: "V3" } as const;

/** A gRPC server that answers with its name. */
async function startBackend(name: string): Promise<{ readonly port: number; stop(): void }> {
  const server = new Server();
  const asItIs = (bytes: Buffer): Buffer => bytes;
  const say = { path: "/test.Echo/Say", requestStream: false, responseStream: false, requestSerialize: asItIs, requestDeserialize: asItIs, responseSerialize: asItIs, responseDeserialize: asItIs } as const;
  server.addService({ say }, { say: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => done(null, Buffer.from(`${name} heard ${call.request.toString()}`)) });
  const port = await new Promise<number>((resolve, reject) => server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) => (error === null ? resolve(bound) : reject(error))));
  return { port, stop: () => server.forceShutdown() };
}

class Application {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  #taken = 0;

  constructor(xdsPort: number) {
    const bootstrap = { xds_servers: [{ server_uri: `127.0.0.1:${xdsPort}`, channel_creds: [{ type: "insecure" }], server_features: ["xds_v3"] }], node: { id: "application", locality: {} } };
    const script = fileURLToPath(new URL("./proxyless-client.mjs", import.meta.url));
    this.#child = spawn(process.execPath, [script, "xds:///greeter"], { stdio: ["pipe", "pipe", "inherit"], env: { PATH: process.env["PATH"], GRPC_XDS_BOOTSTRAP_CONFIG: JSON.stringify(bootstrap) } });
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

function setBackend(group: ResourceGroup, cluster: string, port: number): void {
  group.set("clusters", cluster, { name: cluster, type: "EDS", lbPolicy: "ROUND_ROBIN", edsClusterConfig: { edsConfig: ads } });
  group.set("endpoints", cluster, {
    clusterName: cluster,
    endpoints: [{ locality: { region: "here" }, loadBalancingWeight: 1, lbEndpoints: [{ healthStatus: "HEALTHY", endpoint: { address: { socketAddress: { address: "127.0.0.1", portValue: port } } } }] }],
  });
}

function routeTo(group: ResourceGroup, cluster: string): void {
  group.set("virtualHosts", "greetings/any", { name: "any", domains: ["*"], routes: [{ match: { prefix: "" }, route: { cluster } }] });
}

describe("an application without a proxy", () => {
  let one: Awaited<ReturnType<typeof startBackend>>;
  let two: Awaited<ReturnType<typeof startBackend>>;
  let server: XdsServer;
  let application: Application;
  const cache = createResourceCache();
  const group = cache.group("all");

  beforeAll(async () => {
    [one, two] = await Promise.all([startBackend("one"), startBackend("two")]);
    const router = { name: "router", typedConfig: packAny("Router", {}) };
    const manager = packAny("HttpConnectionManager", { statPrefix: "x", rds: { routeConfigName: "greetings", configSource: ads }, httpFilters: [router], commonHttpProtocolOptions: { maxStreamDuration: durationFromMs(10_000) } });
    group.set("listeners", "greeter", { name: "greeter", apiListener: { apiListener: manager } });
    group.set("routes", "greetings", { name: "greetings", vhds: { configSource: ads } });
    setBackend(group, "one", one.port);
    routeTo(group, "one");
    cache.publish();
    server = createXdsServer({ ...cache.source(() => "all"), plaintext: { host: "127.0.0.1", port: 0 }, clock: createSystemClock(), log: silent });
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
  const synced = () => until(() => server.status()[0]?.synced === true, "a synced application", () => JSON.stringify(server.status()));

  it("finds its server: listener, route with its virtual host inside, cluster, endpoints", async () => {
    expect(await application.call("hello")).toBe("one heard hello");
    await synced();
    expect(server.status()).toMatchObject([{ nodeId: "application", types: { lds: { state: "SYNCED" }, rds: { state: "SYNCED" }, cds: { state: "SYNCED" }, eds: { state: "SYNCED" }, vhds: { state: "IGNORED" } } }]);
    expect(server.held("application")?.rds?.watched).toEqual(["greetings"]);
  });

  it("follows a route to a new cluster, call by call without a failure", async () => {
    setBackend(group, "two", two.port);
    routeTo(group, "two");
    group.delete("clusters", "one");
    group.delete("endpoints", "one");
    cache.publish();
    const answers = new Set<string>();
    for (let call = 0; call < 200 && !answers.has("two heard hello"); call++) answers.add(await application.call("hello"));
    expect([...answers].filter((answer) => !/^(one|two) heard hello$/.test(answer))).toEqual([]);
    expect(answers).toContain("two heard hello");
  });

  it("follows endpoints", async () => {
    setBackend(group, "two", one.port);
    cache.publish();
    const answers = new Set<string>();
    for (let call = 0; call < 200 && !answers.has("one heard hello"); call++) answers.add(await application.call("hello"));
    expect(answers).toContain("one heard hello");
  });

  it("says what it cannot use, keeps what it had, and takes the next", async () => {
    group.set("clusters", "two", { name: "two", type: "ORIGINAL_DST" });
    cache.publish();
    await until(() => server.status()[0]?.types.cds.state === "ERROR", "the rejection", () => JSON.stringify(server.status()));
    expect(server.status()[0]!.rejections).toMatchObject([{ type: "cds", resources: ["two"], message: expect.stringMatching(/./) }]);
    expect(await application.call("hello")).toBe("one heard hello");
    setBackend(group, "two", one.port);
    cache.publish();
    await synced();
    expect(await application.call("hello")).toBe("one heard hello");
  });

  it("comes back by itself when the server starts anew", async () => {
    const { port } = server.plaintextAddress()!;
    await server.close();
    server = createXdsServer({ ...cache.source(() => "all"), plaintext: { host: "127.0.0.1", port }, clock: createSystemClock(), log: silent });
    await server.listen();
    expect(await application.call("hello")).toBe("one heard hello");
    await synced();
  });
});
