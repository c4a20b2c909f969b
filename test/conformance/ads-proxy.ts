// A real Envoy that an AdsWorld serves, and what it answers.
import { request } from "node:http";
import { request as tlsRequest } from "node:https";
import { adsBootstrap } from "../support/ads-bootstrap.ts";
import { type Envoy, startEnvoy } from "../support/envoy.ts";
import { until } from "../support/until.ts";
import { type AdsWorld, basicResources, nodeId, startAdsWorld, token } from "./ads-world.ts";

/** `status body` of a GET for a host. */
export function get(address: string, host: string, ca?: string): Promise<string> {
  const [hostname, port] = address.split(":");
  const options = {
    hostname,
    port,
    path: "/",
    headers: { host },
    agent: false,
    ca,
    checkServerIdentity: () => undefined,
  };
  return new Promise((resolve, reject) => {
    const sent = (ca === undefined ? request : tlsRequest)(options, (response) => {
      let body = "";
      response
        .setEncoding("utf8")
        .on("data", (text: string) => (body += text))
        .on("end", () => resolve(`${response.statusCode} ${body}`));
    });
    sent.on("error", reject).end();
  });
}

const UPDATES = [
  "cluster_manager.cds.update_success",
  "listener_manager.lds.update_success",
  "http.test.rds.80.update_success",
  "http.test.rds.vhds.80.update_success",
  "cluster.up.update_success",
];

/** How often each kind of resource was updated. */
export function updatesOf(envoy: Envoy): Promise<(number | undefined)[]> {
  return Promise.all(UPDATES.map((name) => envoy.stat(name)));
}

/** A world and the Envoy that it serves. */
export interface ServedProxy {
  readonly world: AdsWorld;
  readonly envoy: Envoy;
  /** Where its listener `main` takes requests. */
  readonly address: string;
  synced(): Promise<void>;
  /** Waits until a GET for the host gives `status body`. */
  answers(host: string, answer: string): Promise<void>;
  close(): Promise<void>;
}

/** Starts both and waits until the Envoy has everything. */
export async function startServedProxy(metadata?: Readonly<Record<string, unknown>>): Promise<ServedProxy> {
  const world = await startAdsWorld();
  world.resources = basicResources(world.upstreamPort);
  const envoy = await startAdsProxy(world, { metadata });
  const synced = (): Promise<void> =>
    until(
      () => world.status()?.synced === true,
      "a synced proxy",
      () => `${JSON.stringify(world.status())}\n${envoy.log()}`,
    );
  await synced();
  const address = (await envoy.listener("main"))!;
  return {
    world,
    envoy,
    address,
    synced,
    answers: (host, answer) =>
      until(async () => (await get(address, host).catch(String)) === answer, `${host} to answer ${answer}`, envoy.log),
    async close() {
      await envoy.stop();
      await world.close();
    },
  };
}

interface Claims {
  readonly token?: string | undefined;
  readonly nodeId?: string;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
}

/** Starts an Envoy on a world's server; it may not be let in. */
export function startAdsProxy(world: AdsWorld, claims: Claims = {}): Promise<Envoy> {
  const mine = { xds: world.server().address(), rootPem: world.authority.rootPem, token, nodeId };
  return startEnvoy(adsBootstrap({ ...mine, ...claims }));
}
