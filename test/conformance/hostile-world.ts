// A server that hostile clients attack, and a proxy beside them that must be told of every change meanwhile.
import { expect } from "vitest";
import { resourceTypes } from "../../controlplane/snapshot/type-urls.ts";
import { createSystemClock } from "../../controlplane/telemetry/clock.ts";
import { discoveryMethods } from "../../controlplane/xds/grpc/services.ts";
import { createResourceCache, type ResourceGroup } from "../../controlplane/xds/resource-cache.ts";
import { createXdsServer, type XdsLimits, type XdsServer } from "../../controlplane/xds/server.ts";
import { openRawClient, type RawClient } from "../support/raw-client.ts";
import { until } from "../support/until.ts";

const problems: object[] = [];
const silent = { info: () => undefined, warn: () => undefined, error: (fields: object) => void problems.push(fields) };
export const { path: ADS } = discoveryMethods.find(({ name }) => name === "DeltaAggregatedResources")!;
export const CLUSTERS = resourceTypes.clusters.typeUrl;
/** The server under attack; another after `serve`. */
export let server: XdsServer;
export let group: ResourceGroup;
export let publish: () => void;
let honest: RawClient<"delta">;
let change = 0;
const clients: RawClient<"delta">[] = [];

/** Starts the server, with a hundred clusters and the proxy beside. */
export async function serve(limits: Partial<XdsLimits> = {}): Promise<void> {
  const cache = createResourceCache();
  group = cache.group("all");
  publish = cache.publish;
  for (let index = 0; index < 100; index++) group.set("clusters", `c-${index}`, { name: `c-${index}` });
  publish();
  server = createXdsServer({
    ...cache.source(() => "all"),
    plaintext: { host: "127.0.0.1", port: 0 },
    clock: createSystemClock(),
    log: silent,
    limits,
    debugResources: () => ({ kind: "answer", resources: [{ name: "all", bytes: new Uint8Array(200_000) }] }),
  });
  cache.onPublish(server.notify);
  await server.listen();
  honest = open();
  honest.send({ node: { id: "honest" }, typeUrl: CLUSTERS });
  await answerAll();
}

/** Ends everything. Whatever a client does is its fault: fails when the server complained of itself. */
export async function endAll(): Promise<void> {
  for (const client of clients.splice(0)) client.close();
  await server.close();
  expect(problems.splice(0)).toEqual([]);
}

/** A client that has said nothing yet. */
export function open(): RawClient<"delta"> {
  const client = openRawClient("delta", ADS, server.plaintextAddress()!);
  clients.push(client);
  return client;
}

/** A client that has asked for clusters. */
export async function begin(name: string): Promise<RawClient<"delta">> {
  const client = open();
  client.send({ node: { id: name }, typeUrl: CLUSTERS });
  const { nonce } = await client.next();
  client.send({ typeUrl: CLUSTERS, responseNonce: nonce });
  return client;
}

async function answerAll(): Promise<void> {
  const { nonce } = await honest.next();
  honest.send({ typeUrl: CLUSTERS, responseNonce: nonce });
}

/** The proxy beside gets a change now, and all that others left behind is gone. */
export async function othersDoNotNotice(): Promise<void> {
  group.set("clusters", "c-0", { name: "c-0", altStatName: String(++change) });
  publish();
  await answerAll();
  await until(() => server.status().some(({ nodeId, synced }) => nodeId === "honest" && synced), "the proxy beside");
}

/** So many names that nobody has. */
export const namesOf = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => `strange-name-${from + index}`);
