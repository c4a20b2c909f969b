// A plugin that traps, leaks or never ends hurts only itself: its answers are bounded, its neighbours do not notice.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startLoad } from "../../support/load.ts";
import { type Mesh, type ProxyStatus, repository, request, startMesh } from "../../support/mesh.ts";
import { eventually } from "../../support/until.ts";
import { writeRawModule } from "../../support/raw-module.ts";
import { echoApps } from "../../support/workloads.ts";

let mesh: Mesh;
let modules: string;
let web: ProxyStatus;

beforeAll(async () => {
  modules = mkdtempSync(join(tmpdir(), "scrim-modules-"));
  mesh = await startMesh({
    files: {
      "workloads.yaml": echoApps("web", "next", "client"),
    },
  });
  web = await mesh.proxy("web");
});
afterAll(async () => {
  await mesh?.stop();
  rmSync(modules, { recursive: true, force: true });
});

interface Plugin {
  readonly url: string;
  readonly failStrategy: string;
  readonly annotations?: string;
  readonly name?: string;
  readonly config?: string;
}

function plugin({ url, failStrategy, annotations = "", name = "guest", config = "" }: Plugin): string {
  return `apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: ${name}, namespace: default, annotations: {${annotations}}}
spec:
  selector: {matchLabels: {app: web}}
  url: ${url}
  failStrategy: ${failStrategy}
${config === "" ? "" : `  pluginConfig: ${config}\n`}`;
}

const neighbour = plugin({
  name: "neighbour",
  url: `file://${join(repository, "filters/build/examples/add-header.wasm")}`,
  failStrategy: "FAIL_CLOSE",
  config: "{name: x-neighbour, value: here}",
});

const applied = (file: string, ...texts: readonly string[]): Promise<void> => mesh.apply(file, ...texts);

/** Asks the workload itself, at once. */
async function ask(
  path = "/",
  headers: Record<string, string> = {},
): Promise<{ readonly status: number; readonly tookMs: number; readonly neighbour: boolean }> {
  const start = performance.now();
  const { status, headers: answered } = await request(`http://${web.ports[0]?.address}${path}`, { headers });
  return { status, tookMs: performance.now() - start, neighbour: answered["x-neighbour"] === "here" };
}

/** Resident memory of the workload's Envoy, in MiB. */
function residentMiB(): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${web.pid}/status`, "utf8"))?.[1]) / 1_024;
}

// Each misbehaves only after more requests than its trial makes.
const later = (deed: string) => `kept++; if (kept > 400) { ${deed} } return 0;`;

describe("a plugin that misbehaves on some requests", () => {
  it("that never ends is ended: under FAIL_OPEN requests pass, and no other workload or connection waits", async () => {
    const { url } = await writeRawModule(join(modules, "endless.wasm"), later("while (true) { kept++; }"));
    await applied("plugin.yaml", neighbour, plugin({ url, failStrategy: "FAIL_OPEN" }));
    const bystander = startLoad({ url: "http://next/", proxy: (await mesh.proxy("client")).outbound });
    const answers = [];
    for (let i = 0; i < 1_200; i++) answers.push(await ask());
    expect((await bystander.stop()).failed).toEqual([]);
    // The one request in which it was ended fails or passes; all others pass, with their neighbour.
    expect(answers.filter(({ status }) => status !== 200).length).toBeLessThanOrEqual(4);
    expect(answers.slice(-200).every(({ status, neighbour: there }) => status === 200 && there)).toBe(true);
  });

  it("that traps costs its own request, and comes back under FAIL_RELOAD", async () => {
    const { url } = await writeRawModule(join(modules, "trap.wasm"), later("unreachable();"));
    await applied("plugin.yaml", neighbour, plugin({ url, failStrategy: "FAIL_RELOAD" }));
    const statuses = new Map<number, number>();
    await eventually(
      "a failure and the recovery after it",
      async () => {
        const { status } = await ask();
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        if (![200, 500, 503].includes(status)) throw new Error(`status ${status}`);
        for (let i = 0; i < 200 && (statuses.get(500) ?? 0) + (statuses.get(503) ?? 0) === 0; i++) {
          const next = (await ask()).status;
          statuses.set(next, (statuses.get(next) ?? 0) + 1);
        }
        return status === 200 && (statuses.get(500) ?? 0) + (statuses.get(503) ?? 0) > 0 ? true : undefined;
      },
      60_000,
    );
  });

  it("that leaks ends at its ceiling, not with the proxy's memory", async () => {
    const { url } = await writeRawModule(join(modules, "leak.wasm"), later("heap.alloc(65536);"));
    await applied(
      "plugin.yaml",
      neighbour,
      plugin({ url, failStrategy: "FAIL_OPEN", annotations: 'scrim.mesh/memory: "8Mi"' }),
    );
    const before = residentMiB();
    const statuses: number[] = [];
    // 1,600 times 64 KiB are 100 MiB; the module may have 8.
    for (let i = 0; i < 400; i++)
      statuses.push(...(await Promise.all([ask(), ask(), ask(), ask(), ask()])).map(({ status }) => status));
    expect([...new Set(statuses)].filter((status) => ![200, 500, 503].includes(status))).toEqual([]);
    expect(statuses.filter((status) => status !== 200).length).toBeLessThan(10);
    expect(residentMiB() - before).toBeLessThan(60);
    expect((await ask()).status).toBe(200);
  });

  it("from its first request on is taken for what it is before any proxy has it", async () => {
    const { url } = await writeRawModule(join(modules, "at-once.wasm"), "unreachable(); return 0;");
    await applied("plugin.yaml", neighbour, plugin({ url, failStrategy: "FAIL_OPEN" }));
    await eventually("the warning", async () =>
      (await request(`${mesh.admin}/debug/violations`)).body.includes(
        "proxy_on_request_headers trapped in a trial call",
      )
        ? true
        : undefined,
    );
  });
});
