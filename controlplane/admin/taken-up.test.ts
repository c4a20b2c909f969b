import { describe, expect, it } from "vitest";
import { loadText } from "../store/load.ts";
import { createCell } from "../stages/cell.ts";
import { changeWorld, type World } from "../world/world.ts";
import { createTakenUpStage, describeChanges } from "./taken-up.ts";

const service = (name: string, port = 80) =>
  `{apiVersion: v1, kind: Service, metadata: {name: ${name}}, spec: {ports: [{port: ${port}}]}}\n`;
const worldOf = (text: string) => loadText(text, { file: "mesh/traffic.yaml" }).world;

/** The state after `before` that holds the objects of another. */
function following(before: World, text: string): World {
  const after = worldOf(text);
  const gone = before.list("Service").map((object) => ({ before: object, now: undefined }));
  const come = after.list("Service").map((object) => ({ before: undefined, now: object }));
  return changeWorld(changeWorld(before, gone, before.mesh), come, before.mesh);
}

const router = (listens: string) => `apiVersion: v1
kind: Pod
metadata:
  name: gw-0
  annotations: {scrim.mesh/proxy: router, scrim.mesh/workload: gw, scrim.mesh/listen: '${listens}'}
status: {podIP: 127.0.0.1, conditions: [{type: Ready, status: "True"}]}
spec: {}
`;

/** Tells the stage of a change, and returns what it says once a proxy that is late has acknowledged. */
async function told(before: World, after: World, lateMs = 0, patience = 1): Promise<readonly string[]> {
  let nowMs = 0;
  const lines: string[] = [];
  const world = createCell(before);
  const view = { hasUnpublishedChange: () => nowMs < lateMs / 2 };
  const reach = createCell({ progress: () => ({ proxies: 2, settled: nowMs < lateMs ? 1 : 2 }) });
  const clock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: async (ms: number) => void (nowMs += ms * patience),
  };
  const stage = createTakenUpStage({ clock, say: (line) => lines.push(line) }, { world, view, reach });
  await stage.start?.(new AbortController().signal);
  world.set(after);
  for (let turn = 0; turn < 5_000 && lines.length === 0; turn++) await Promise.resolve();
  await stage.stop?.();
  return lines;
}

describe("what was taken up", () => {
  const before = worldOf(service("a"));

  it("is told in one line, when every proxy has it", async () => {
    expect(await told(before, following(before, service("a", 81)), 40)).toEqual([
      "traffic.yaml: Service default/a: 2 of 2 proxies, 40 ms",
    ]);
  });

  it("is told with who is missing, when a proxy stays silent", async () => {
    expect(await told(before, following(before, service("a", 81)), 19_000, 100)).toEqual([
      "traffic.yaml: Service default/a: 1 of 2 proxies after 12000 ms",
    ]);
  });

  it("names what came, changed and went, and counts the rest", () => {
    const one = worldOf(service("a")).list("Service")[0]!;
    const change = { object: one, isGone: false };
    expect(describeChanges([{ object: one, isGone: true }])).toBe("traffic.yaml: Service default/a removed");
    expect(describeChanges([change, change, change, change, change])).toBe(
      "traffic.yaml: Service default/a, Service default/a, Service default/a and 2 more",
    );
  });

  it("is silent about pods, but for a gateway's port that opened", async () => {
    const one = '[{"port":80,"name":"http","address":"0.0.0.0:8080"}]';
    const two =
      '[{"port":80,"name":"http","address":"0.0.0.0:8080"},{"port":443,"name":"https","address":"0.0.0.0:8443"}]';
    expect(await told(worldOf(router(one)), worldOf(router(two)))).toEqual([
      "gateway gw: port 443 is open on 0.0.0.0:8443",
    ]);
    expect(await told(worldOf(router(two)), worldOf(router(one)))).toEqual([]);
  });
});
