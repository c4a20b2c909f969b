import { mkdtempSync, rmSync } from "node:fs";
import { type ClientHttp2Session, connect as http2Connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AddressInfo, connect as tcpConnect, createServer as createTcpServer } from "node:net";
import { connect as tlsConnect } from "node:tls";
import { Client, type ClientDuplexStream, credentials, Metadata, status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { decode, encode } from "../../protos/codec.ts";
import type { DeltaDiscoveryRequest, DeltaDiscoveryResponse } from "../../protos/build/envoy.ts";
import { openAuthority } from "../ca/authority.ts";
import { failed } from "../model/failure.ts";
import { createResourceEncoder } from "../snapshot/encode.ts";
import { emptyResources, type EnvoyResources } from "../translate/emit/resources.ts";
import { resourceTypes } from "../snapshot/type-urls.ts";
import type { Authenticate, Proof } from "./authenticate.ts";
import { createResourceCache } from "./resource-cache.ts";
import { createXdsServer, type XdsLimits, type XdsServer, type XdsServerOptions } from "./server.ts";

const ADS_PATH = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
const CDS = resourceTypes.clusters.typeUrl;
const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
const failures: object[] = [];
const silent = { info: () => undefined, warn: () => undefined, error: (fields: object) => void failures.push(fields) };
const nodeOf = (pod: string) => ({ id: `sidecar~127.0.0.1~${pod}.default~default.svc.cluster.local` });

const proofOf = (token: string): Proof => ({
  kind: "proven",
  identity: { namespace: "default", serviceAccount: "web", pod: token.slice("token of ".length) },
});

let directory: string;
let rootPem: string;
let server: XdsServer;
let options: XdsServerOptions;
let authenticate: Authenticate;
let resources: EnvoyResources;
let isSynced: boolean;
const clients: Client[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "scrim-xds-"));
  const opening = openAuthority({ directory: join(directory, "ca"), trustDomain: "cluster.local", clock });
  if (opening.kind === "failed") throw new Error(opening.message);
  rootPem = opening.authority.rootPem;
  const { chainPem, keyPem } = opening.authority.issueServerCertificate({
    dnsNames: ["localhost"],
    ipAddresses: ["127.0.0.1"],
  });
  const encoder = createResourceEncoder();
  resources = emptyResources();
  isSynced = true;
  authenticate = async (token) => (token.startsWith("token of ") ? proofOf(token) : failed("unproven", "who is it?"));
  failures.length = 0;
  let last = encoder.encodeResources("c", resources);
  options = {
    encoder,
    clock,
    log: silent,
    limits: { stallMs: 3_000 },
    secure: {
      host: "127.0.0.1",
      port: 0,
      certificate: { certificate: chainPem, key: keyPem },
      authenticate: (token) => authenticate(token),
    },
    resourcesFor: () => (isSynced ? (last = encoder.encodeResources("c", resources, last)) : undefined),
    secretsFor: () => new Map(),
  };
  server = createXdsServer(options);
  await server.listen();
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server.close();
  rmSync(directory, { recursive: true });
});

interface TestStream {
  readonly call: ClientDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;
  readonly responses: DeltaDiscoveryResponse[];
  readonly ended: Promise<number>;
}

/** A stream of a client that accepts everything it gets. */
function open(pod: string, token = `token of ${pod}`): TestStream {
  const client = new Client(`localhost:${server.address().port}`, credentials.createSsl(Buffer.from(rootPem)));
  clients.push(client);
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  const call = client.makeBidiStreamRequest(
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
    (request: DeltaDiscoveryRequest) => Buffer.from(encode("DeltaDiscoveryRequest", request)),
    (bytes: Buffer) => decode("DeltaDiscoveryResponse", bytes),
    metadata,
  );
  const responses: DeltaDiscoveryResponse[] = [];
  const ended = new Promise<number>((resolve) =>
    call.on("error", () => undefined).on("status", ({ code }) => resolve(code)),
  );
  call.on("data", (response: DeltaDiscoveryResponse) => {
    responses.push(response);
    call.write({ typeUrl: response.typeUrl, responseNonce: response.nonce });
  });
  return { call, responses, ended };
}

/** A client that sends one request and never reads an answer: HTTP/2 flow control stops the server after 64 KiB. */
function openWithoutReading(pod: string): ClientHttp2Session {
  const session = http2Connect(`https://localhost:${server.address().port}`, { ca: rootPem });
  session.on("error", () => undefined);
  const path = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    authorization: `Bearer token of ${pod}`,
  });
  stream.on("error", () => undefined);
  const message = encode("DeltaDiscoveryRequest", { node: nodeOf(pod), typeUrl: CDS });
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  stream.write(frame);
  return session;
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error("waited in vain");
}

function setCluster(name: string, altStatName: string): void {
  resources.clusters.set(name, { name, altStatName });
}

describe("the secure port", () => {
  it("speaks TLS 1.3 only", async () => {
    const outcome = await new Promise<string>((resolve) => {
      const socket = tlsConnect(
        { port: server.address().port, host: "127.0.0.1", ca: rootPem, maxVersion: "TLSv1.2" },
        () => resolve("connected"),
      );
      socket.on("error", ({ message }) => resolve(message));
    });
    expect(outcome).toMatch(/protocol version|handshake failure/i);
  });

  it.each([
    ["a wrong token", "guess"],
    ["an empty one", ""],
  ])("refuses %s before it reads anything", async (_name, token) => {
    const stream = open("web-1", token);
    expect(await stream.ended).toBe(status.UNAUTHENTICATED);
  });

  it("refuses another pod's node, a node that changes, a missing type", async () => {
    const other = open("web-1");
    other.call.write({ node: nodeOf("web-2"), typeUrl: CDS });
    expect(await other.ended).toBe(status.PERMISSION_DENIED);
    const changing = open("web-1");
    changing.call.write({ node: nodeOf("web-1"), typeUrl: CDS });
    changing.call.write({ node: nodeOf("web-2"), typeUrl: CDS });
    expect(await changing.ended).toBe(status.INVALID_ARGUMENT);
    const untyped = open("web-1");
    untyped.call.write({ node: nodeOf("web-1") });
    expect(await untyped.ended).toBe(status.INVALID_ARGUMENT);
    expect(server.status()).toEqual([]);
  });
});

describe("who comes", () => {
  const asked: string[] = [];
  let answers: ((outcome: Awaited<ReturnType<Authenticate>>) => void)[];
  beforeEach(() => {
    asked.length = 0;
    answers = [];
    authenticate = (token) => {
      asked.push(token);
      return new Promise((resolve) => answers.push(resolve));
    };
  });
  const restart = async (limits: Partial<XdsLimits>): Promise<void> => {
    await server.close();
    server = createXdsServer({ ...options, limits });
    await server.listen();
  };

  it("is read and answered when it is known who it is, and not before", async () => {
    setCluster("a", "1");
    const stream = open("web-1");
    stream.call.write({ node: nodeOf("web-1"), typeUrl: CDS });
    await until(() => answers.length === 1);
    expect(server.status()).toEqual([]);
    expect(stream.responses).toEqual([]);
    answers[0]?.(proofOf("token of web-1"));
    await until(() => server.status()[0]?.synced === true);
    expect(stream.responses.flatMap(({ resources: sent }) => sent?.map(({ name }) => name))).toEqual(["a"]);
    expect(asked).toEqual(["token of web-1"]);
  });

  it("comes again when nobody can tell who it is, or nobody does in time", async () => {
    await restart({ proofMs: 50 });
    const unknown = open("web-1");
    await until(() => answers.length === 1);
    answers[0]?.(failed("unavailable", "nobody can tell"));
    expect(await unknown.ended).toBe(status.UNAVAILABLE);
    const late = open("web-2");
    expect(await late.ended).toBe(status.UNAVAILABLE);
    answers[1]?.(proofOf("token of web-2"));
    authenticate = async () => {
      throw new Error("a bug");
    };
    expect(await open("web-3").ended).toBe(status.UNAVAILABLE);
    expect(failures).toHaveLength(1);
    expect(server.status()).toEqual([]);
  });

  it("leaves its place to another when it goes while it waits", async () => {
    await restart({ callsToProve: 1 });
    const first = open("web-1");
    await until(() => answers.length === 1);
    expect(await open("web-2").ended).toBe(status.UNAVAILABLE);
    first.call.cancel();
    await first.ended;
    const third = await (async () => {
      for (;;) {
        const stream = open("web-3");
        stream.call.write({ node: nodeOf("web-3"), typeUrl: CDS });
        const isRefused = await Promise.race([stream.ended, until(() => answers.length === 2)]);
        if (isRefused === undefined) return stream;
      }
    })();
    answers[0]?.(proofOf("token of web-1"));
    answers[1]?.(proofOf("token of web-3"));
    await until(() => server.status().length === 1);
    expect(server.status()).toMatchObject([{ pod: "web-3" }]);
    third.call.end();
  });

  it("is asked for again as often as its proof says, and sent away when it is nobody's any more", async () => {
    const stream = open("web-1");
    stream.call.write({ node: nodeOf("web-1"), typeUrl: CDS });
    await until(() => answers.length === 1);
    answers[0]?.({ ...proofOf("token of web-1"), holdsForMs: 20 });
    await until(() => answers.length === 2);
    answers[1]?.({ ...proofOf("token of web-1"), holdsForMs: 20 });
    await until(() => answers.length === 3);
    expect(server.status()).toMatchObject([{ pod: "web-1" }]);
    answers[2]?.(failed("unproven", "the pod is gone"));
    expect(await stream.ended).toBe(status.UNAUTHENTICATED);
    expect(server.status()).toEqual([]);
  });

  it("is asked for no more when its stream is over", async () => {
    const stream = open("web-1");
    stream.call.write({ node: nodeOf("web-1"), typeUrl: CDS });
    await until(() => answers.length === 1);
    answers[0]?.({ ...proofOf("token of web-1"), holdsForMs: 100 });
    await until(() => server.status().length === 1);
    stream.call.cancel();
    await until(() => server.status().length === 0);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(asked).toHaveLength(1);
  });
});

describe("connections", () => {
  it("end at their age, and the client comes back by itself with what it has", async () => {
    await server.close();
    const cache = createResourceCache();
    cache.group("all").set("clusters", "a", { name: "a" });
    cache.publish();
    server = createXdsServer({
      ...cache.source(() => "all"),
      plaintext: { host: "127.0.0.1", port: 0 },
      clock,
      log: silent,
      limits: { maxConnectionAgeMs: 200, maxConnectionAgeGraceMs: 100 },
    });
    await server.listen();
    const client = new Client(`127.0.0.1:${server.plaintextAddress()!.port}`, credentials.createInsecure());
    clients.push(client);
    const connections = new Set<string>();
    for (let round = 0; round < 3; round++) {
      const call = client.makeBidiStreamRequest(
        ADS_PATH,
        (request: DeltaDiscoveryRequest) => Buffer.from(encode("DeltaDiscoveryRequest", request)),
        (bytes: Buffer) => decode("DeltaDiscoveryResponse", bytes),
      );
      const over = new Promise<number>((resolve) =>
        call.on("error", () => undefined).on("status", ({ code }) => resolve(code)),
      );
      call.on("data", (response: DeltaDiscoveryResponse) =>
        connections.add(`${server.status()[0]?.peer} ${response.resources?.length}`),
      );
      call.write({ node: nodeOf("web-1"), typeUrl: CDS });
      expect([status.UNAVAILABLE, status.CANCELLED, status.INTERNAL]).toContain(await over);
      await until(() => server.status().length === 0);
    }
    expect(connections.size).toBe(3);
  });

  it("that answer no more are closed, and their streams with them", async () => {
    await server.close();
    const cache = createResourceCache();
    server = createXdsServer({
      ...cache.source(() => undefined),
      plaintext: { host: "127.0.0.1", port: 0 },
      clock,
      log: silent,
      limits: { keepaliveMs: 100, keepaliveTimeoutMs: 100 },
    });
    await server.listen();
    // What an HTTP/2 client would answer to a PING this one does not: it has sent its settings and a stream's first
    // request, and then its machine is gone.
    const { port } = server.plaintextAddress()!;
    const frames: Buffer[] = [];
    const recorder = createTcpServer((socket) =>
      socket.on("data", (bytes: Buffer) => frames.push(bytes)).on("error", () => undefined),
    ).listen(0, "127.0.0.1");
    await new Promise((resolve) => recorder.once("listening", resolve));
    const client = http2Connect(`http://127.0.0.1:${(recorder.address() as AddressInfo).port}`);
    client.on("error", () => undefined);
    const request = client.request({
      ":method": "POST",
      ":path": ADS_PATH,
      "content-type": "application/grpc",
      te: "trailers",
    });
    request.on("error", () => undefined);
    const message = encode("DeltaDiscoveryRequest", { node: nodeOf("gone"), typeUrl: CDS });
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    request.write(Buffer.concat([head, message]));
    await until(() => Buffer.concat(frames).includes("gone.default"));
    client.destroy();
    recorder.close();
    const socket = tcpConnect(port, "127.0.0.1", () => socket.write(Buffer.concat(frames)));
    const isClosed = new Promise((resolve) => socket.on("error", () => undefined).on("close", resolve));
    socket.resume();
    await until(() => server.status().length === 1);
    await isClosed;
    await until(() => server.status().length === 0);
  });

  it("that come too fast are let in one after the other, and all are served", async () => {
    await server.close();
    const cache = createResourceCache();
    cache.group("all").set("clusters", "a", { name: "a" });
    cache.publish();
    server = createXdsServer({
      ...cache.source(() => "all"),
      plaintext: { host: "127.0.0.1", port: 0 },
      clock,
      log: silent,
      limits: { streamsPerSecond: 50, streamBurst: 1 },
    });
    await server.listen();
    const client = new Client(`127.0.0.1:${server.plaintextAddress()!.port}`, credentials.createInsecure());
    clients.push(client);
    for (let index = 0; index < 20; index++) {
      const call = client.makeBidiStreamRequest(
        ADS_PATH,
        (request: DeltaDiscoveryRequest) => Buffer.from(encode("DeltaDiscoveryRequest", request)),
        (bytes: Buffer) => decode("DeltaDiscoveryResponse", bytes),
      );
      call.on("error", () => undefined);
      call.on(
        "data",
        (response: DeltaDiscoveryResponse) =>
          void call.write({ typeUrl: response.typeUrl, responseNonce: response.nonce }),
      );
      call.write({ node: nodeOf(`web-${index}`), typeUrl: CDS });
    }
    await until(() => server.status().filter(({ synced }) => synced).length === 20);
    // The last of them waited for nineteen others, 20 ms each: never less.
    const times = server.status().map(({ connectedAtMs }) => connectedAtMs);
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThanOrEqual(350);
  });
});

describe("streams", () => {
  it("wait until the sources have synced", async () => {
    isSynced = false;
    const stream = open("web-1");
    stream.call.write({ node: nodeOf("web-1"), typeUrl: CDS });
    await until(() => server.status().length === 1);
    expect(server.status()[0]).toMatchObject({ pod: "web-1", synced: false });
    expect(stream.responses).toEqual([]);
    setCluster("a", "1");
    isSynced = true;
    server.notify();
    await until(() => server.status()[0]?.synced === true);
    expect(stream.responses.map(({ resources: sent }) => sent?.map(({ name }) => name))).toEqual([["a"]]);
  });

  it("that are closed or cancelled leave nothing behind", async () => {
    const [one, two] = [open("web-1"), open("web-2")];
    one.call.write({ node: nodeOf("web-1"), typeUrl: CDS });
    two.call.write({ node: nodeOf("web-2"), typeUrl: CDS });
    await until(() => server.status().length === 2);
    one.call.end();
    two.call.cancel();
    await until(() => server.status().length === 0);
  });

  it("a change is not synced from notify on until it was acknowledged", async () => {
    const stream = open("web-1");
    stream.call.write({ node: nodeOf("web-1"), typeUrl: CDS });
    await until(() => server.status()[0]?.synced === true);
    setCluster("a", "1");
    server.notify();
    expect(server.status()[0]).toMatchObject({ synced: false, types: { cds: { state: "STALE" } } });
    await until(() => server.status()[0]?.synced === true);
    expect(stream.responses.at(-1)?.resources?.map(({ name }) => name)).toEqual(["a"]);
  });

  it("a slow reader holds one merged set, is dropped when it does not read, and others do not notice", async () => {
    setCluster("big", "x".repeat(2_000_000));
    const session = openWithoutReading("slow");
    const quick = open("quick");
    quick.call.write({ node: nodeOf("quick"), typeUrl: CDS });
    await until(() => server.status().length === 2);
    for (let round = 0; round < 10; round++) {
      setCluster("big", `${round}`.padEnd(2_000_000, "x"));
      server.notify();
      await until(() => server.status().some(({ pod, synced }) => pod === "quick" && synced));
    }
    await until(() => server.status().length === 1);
    expect(server.status()).toMatchObject([{ pod: "quick", synced: true }]);
    session.destroy();
  });

  it("keep what they have, and the server runs on, when content cannot be made", async () => {
    setCluster("a", "1");
    const stream = open("web-1");
    stream.call.write({ node: nodeOf("web-1"), typeUrl: CDS });
    await until(() => server.status()[0]?.synced === true);
    resources.clusters.set("b", { nmae: "misspelt" } as never);
    server.notify();
    expect(server.status()[0]).toMatchObject({ pod: "web-1", synced: false });
    await until(() => failures.length === 1);
    resources.clusters.delete("b");
    setCluster("c", "1");
    server.notify();
    await until(() => server.status()[0]?.synced === true);
    expect(stream.responses.flatMap(({ resources: sent }) => sent?.map(({ name }) => name))).toEqual(["a", "c"]);
  });

  it("all end when the server closes", async () => {
    const stream = open("web-1");
    stream.call.write({ node: nodeOf("web-1"), typeUrl: CDS });
    await until(() => server.status().length === 1);
    await server.close();
    expect([status.UNAVAILABLE, status.CANCELLED]).toContain(await stream.ended);
  });
});
