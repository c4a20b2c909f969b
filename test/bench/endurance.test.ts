import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Relay, startRelay } from "../../bench/endurance/relay.ts";
import { grows, slopeOf } from "../../bench/endurance/slope.ts";
import { parseOptions } from "../../bench/options.ts";

describe("a slope", () => {
  const steps = Array.from({ length: 41 }, (_, index) => index * 100);

  it("is that of the second half: caches fill in the first", () => {
    const slope = slopeOf(
      steps,
      steps.map((step) => Math.min(step, 2000) * 1000),
    );
    expect([slope.perStep, slope.first, slope.last, grows(slope, 4000, 1)]).toEqual([0, 2_000_000, 2_000_000, false]);
  });

  it("tells what grows from what only goes up and down", () => {
    const noisy = (perStep: number) =>
      steps.map((step, index) => 50e6 + perStep * step + (index % 2 === 0 ? 1e5 : -1e5));
    expect(slopeOf(steps, noisy(1000)).perStep).toBeCloseTo(1000, -2);
    expect(grows(slopeOf(steps, noisy(1000)), 4000, 2e6)).toBe(true);
    expect(grows(slopeOf(steps, noisy(0)), 4000, 2e6)).toBe(false);
    expect(grows(slopeOf(steps, noisy(10)), 4000, 2e6)).toBe(false);
    expect(slopeOf([0, 1], [1, 2]).perStep).toBeNaN();
  });
});

describe("a relay", () => {
  let server: Server, relay: Relay;
  const accepted: Socket[] = [];
  beforeEach(async () => {
    server = createServer((socket) => {
      accepted.push(socket);
      socket.on("error", () => undefined).pipe(socket);
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    relay = await startRelay((server.address() as AddressInfo).port);
  });
  afterEach(async () => {
    for (const socket of accepted.splice(0)) socket.destroy();
    server.close();
    await relay.close();
  });
  const open = async (): Promise<{
    readonly socket: Socket;
    readonly heard: () => string;
    readonly gone: () => boolean;
  }> => {
    let heard = "",
      gone = false;
    const socket = connect(relay.port, "127.0.0.1")
      .on("data", (bytes) => (heard += bytes.toString()))
      .on("error", () => undefined)
      .once("close", () => (gone = true));
    await once(socket, "connect");
    return { socket, heard: () => heard, gone: () => gone };
  };
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) await delay(2);
  };

  it("that falls silent loses all and closes nothing, and what was under way arrives once it heals", async () => {
    const old = await open();
    old.socket.write("before ");
    await until(() => old.heard() === "before ");
    expect(relay.take()).toEqual({ bytesUp: 7, bytesDown: 7, connections: 1 });
    relay.fallSilent();
    old.socket.write("meanwhile ");
    const late = await open();
    late.socket.write("hello?");
    await delay(50);
    expect([old.heard(), late.heard(), old.gone(), late.gone(), accepted.length]).toEqual([
      "before ",
      "",
      false,
      false,
      1,
    ]);
    expect(relay.take()).toEqual({ bytesUp: 0, bytesDown: 0, connections: 1 });
    relay.heal();
    await until(() => late.gone() && old.heard() === "before meanwhile ");
    const again = await open();
    again.socket.write("here");
    await until(() => again.heard() === "here");
    for (const { socket } of [old, again]) socket.destroy();
  });

  it("lets one side's end be the other's, but not while it is silent", async () => {
    const one = await open(),
      other = await open();
    await until(() => accepted.length === 2);
    one.socket.destroy();
    await until(() => accepted[0]?.destroyed === true);
    relay.fallSilent();
    other.socket.destroy();
    await delay(50);
    expect(accepted[1]?.destroyed).toBe(false);
    relay.heal();
    await until(() => accepted[1]?.destroyed === true);
  });
});

it("the endurance bench has bounds of its own", () => {
  expect(
    parseOptions(["endurance", "--changes", "10000", "--partition-minutes", "0.5", "--proxies", "0", "--hours", "1.5"]),
  ).toMatchObject({ options: { changes: 10_000, partitionMinutes: 0.5, proxies: 0, hours: 1.5 } });
  expect(parseOptions(["controlplane", "--changes", "10000"])).toMatchObject({
    kind: "refused",
    message: "--changes must be a whole number from 1 to 200",
  });
});
