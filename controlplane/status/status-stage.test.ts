import { expect, it } from "vitest";
import type { ControlPlaneView, ProxySync } from "../admin/contract.ts";
import type { ApiCall } from "../kubernetes/api-client.ts";
import { loadText } from "../store/load.ts";
import type { Inputs } from "../translate/resolve/modules.ts";
import { createWorld } from "../world/world.ts";
import { createStatusStage } from "./status-stage.ts";

const OBJECTS = 1_000;
const pod = (name: string) => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: shop, annotations: { scrim.mesh/proxy: sidecar, scrim.mesh/capture: REDIRECT } }
spec: { containers: [{ name: web }] }
status: { phase: Running, podIP: 10.0.0.1 }
`;
const virtualService = (index: number) => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: many-${index}, namespace: shop, generation: 1 }
spec: { hosts: [reviews-${index}], http: [{ route: [{ destination: { host: reviews } }] }] }
`;

it("a thousand objects have a status after a thousand writes; proxies that come are no reason for another", async () => {
  const text = [pod("web-1"), pod("web-2"), ...Array.from({ length: OBJECTS }, (_, index) => virtualService(index))];
  const loaded = loadText(text.join("---")).world;
  const objects = [...loaded.list("VirtualService"), ...loaded.list("Pod")].map((object, index) => ({
    ...object,
    origin: { kind: "kubernetes", object: "", uid: `u${index}`, resourceVersion: "1" } as const,
  }));
  const world = createWorld(objects);
  const connected = (name: string) =>
    ({ pod: name, namespace: "shop", sync: {}, rejections: [] }) as unknown as ProxySync;
  const proxies = [connected("web-1"), connected("web-2")];
  const view: Partial<ControlPlaneView> = {
    ...{ violations: () => [], proxies: () => proxies, hasUnpublishedChange: () => false },
    ...{ untriedPlugins: () => [], heldBack: () => undefined },
  };
  const writes: ApiCall[] = [];
  let nowMs = 0;
  let endMs = Number.POSITIVE_INFINITY;
  const ending = new AbortController();
  let reached: () => void = () => undefined;
  const stage = createStatusStage({
    client: {
      async request(call) {
        if (call.method === "PATCH") writes.push(call);
        return { kind: "answer", status: call.method === "PATCH" ? 200 : 404, body: {} };
      },
    },
    clock: {
      ...{ nowMs: () => nowMs, monotonicMs: () => nowMs },
      async sleep(ms) {
        nowMs += ms;
        await new Promise((resolve) => setImmediate(resolve));
        if (nowMs < endMs) return;
        reached();
        await new Promise<void>((resolve) => {
          goOn = resolve;
          ending.signal.addEventListener("abort", () => resolve());
        });
      },
    },
    ...{ logger: { warn: () => undefined } as never, view: view as ControlPlaneView },
    ...{ namespace: "istio-system", pod: "istiod-1", inputs: () => ({ world }) as Inputs },
  });
  let goOn: () => void = () => undefined;
  /** Lets so much time go by. */
  const pass = (ms: number): Promise<void> => {
    endMs = nowMs + ms;
    const passed = new Promise<void>((resolve) => (reached = resolve));
    goOn();
    return passed;
  };
  const first = pass(45_000);
  await stage.start?.(ending.signal);
  await first;
  expect(writes).toHaveLength(OBJECTS);
  expect(new Set(writes.map(({ path }) => path)).size).toBe(OBJECTS);
  expect(writes[0]).toMatchObject({
    body: { status: { observedGeneration: 1, conditions: [{}, { type: "Distributed", message: "2 of 2 proxies" }] } },
  });
  // One goes and comes again, and one more is there from now on.
  proxies.pop();
  await pass(20_000);
  proxies.push(connected("web-2"), connected("web-3"));
  await pass(120_000);
  expect(writes).toHaveLength(OBJECTS);
  await pass(300_000);
  expect(writes).toHaveLength(2 * OBJECTS);
  ending.abort();
  await stage.stop?.();
});
