import { createServer, type Server } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { claim, claimAddressBlock, createAddressBlock } from "./claims.ts";
import { claimAskedPort, claimDefaultPort, createGatewayPorts, defaultLocalPort } from "./gateway-ports.ts";
import { findPortHolder, listeningInodes } from "../listen/port-holder.ts";
import { claimAnyPort, claimPort, claimPortFrom } from "./ports.ts";
import type { RouterPlan } from "../pods/gateway-plan.ts";

const open: Server[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});

function occupy(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    open.push(server);
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
  });
}

describe("ports", () => {
  it("gives way to whoever listens already, and names it", async () => {
    const taken = await occupy();
    expect(await claimPort(taken)).toBeUndefined();
    expect((await claimPortFrom(taken)).port).toBeGreaterThan(taken);
    expect((await findPortHolder(taken))?.pid).toBe(process.pid);
  });

  it("never claims one port twice", async () => {
    const first = await claimAnyPort(Math.random);
    expect(await claimPort(first.port)).toBeUndefined();
    first.claim.release();
  });

  it("refuses a port that was asked for and is taken, naming the process", async () => {
    const taken = await occupy();
    expect(await claimAskedPort({ option: "--gateway-port", address: "127.0.0.1", port: taken })).toMatchObject({
      kind: "failed",
      message: expect.stringContaining(`process ${process.pid}`),
    });
  });

  it("says plainly where a default moved", async () => {
    const taken = await occupy();
    const said: string[] = [];
    const claimed = await claimDefaultPort("the gateway", taken, (line) => said.push(line));
    expect(said).toEqual([expect.stringContaining(`port ${taken} is taken by process ${process.pid}`)]);
    expect(said[0]).toContain(`the gateway is on ${claimed.port} instead`);
    claimed.claim.release();
  });

  it("reads listening sockets from /proc/net/tcp", () => {
    const table =
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
      "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0\n" +
      "   1: 0100007F:1F90 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0\n";
    expect(listeningInodes(table, 8080)).toEqual(["4711"]);
    expect(listeningInodes(table, 8081)).toEqual([]);
  });
});

describe("gateway ports", () => {
  const router: RouterPlan = {
    name: "gw",
    namespace: "default",
    serviceAccount: "gw",
    labels: {},
    ports: [
      { port: 443, name: "https", protocol: "HTTPS" },
      { port: 20_080, name: "http", protocol: "HTTP" },
    ],
  };

  it("moves privileged ports up by 8000", () => {
    expect([80, 443, 1023, 1024, 8080].map(defaultLocalPort)).toEqual([8080, 8443, 9023, 1024, 8080]);
  });

  it("gives the asked port to the first HTTP port and keeps what it gave", async () => {
    const asked = await claimAnyPort(Math.random);
    const ports = createGatewayPorts(asked, () => undefined);
    const first = await ports.assign(router);
    expect(first.find(({ port }) => port === 20_080)?.bind).toEqual({ address: "127.0.0.1", port: asked.port });
    expect(await ports.assign(router)).toEqual(first);
    ports.release(router);
  });
});

describe("claims", () => {
  it("has one holder at a time", async () => {
    const name = `test/${process.pid}/${Math.random()}`;
    const held = await claim(name);
    expect(await claim(name)).toBeUndefined();
    held?.release();
  });

  it("finds another block when the first one is taken", async () => {
    const sequence = [0.5, 0.5, 0.5, 0.5, 0.6, 0.6];
    const draw = () => sequence.shift() ?? Math.random();
    const [first, second] = [await claimAddressBlock(draw), await claimAddressBlock(draw)];
    expect(first.prefix).toMatch(/^127\.\d+\.\d+$/);
    expect(second.prefix).not.toBe(first.prefix);
  });

  it("hands out each address once and reuses the oldest given back last", () => {
    const block = createAddressBlock("127.9.9");
    expect(block.take()).toBe("127.9.9.2");
    const all = Array.from({ length: 249 }, () => block.take());
    expect(new Set(all).size).toBe(249);
    expect(block.take()).toBeUndefined();
    block.giveBack("127.9.9.2");
    expect(block.take()).toBe("127.9.9.2");
  });
});
