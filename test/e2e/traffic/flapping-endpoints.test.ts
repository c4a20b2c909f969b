// Endpoints that never rest, while requests flow.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startLoad } from "../../support/load.ts";
import { type Mesh, request, startMesh } from "../../support/mesh.ts";
import { eventually } from "../../support/until.ts";
import { documents, echoDeployment, service, serviceAt } from "../../support/workloads.ts";

let mesh: Mesh;

beforeAll(async () => {
  mesh = await startMesh({
    files: {
      "workloads.yaml": documents(
        service("web"),
        service("client"),
        echoDeployment({ name: "web-v1", app: "web", replicas: 2 }),
        echoDeployment({ name: "client", app: "client" }),
      ),
    },
  });
});
afterAll(() => mesh?.stop());

describe("endpoints that flap", () => {
  it("a hundred times a second are told ten times at most, fail no other call, and the last ones hold", async () => {
    const slice = (last: number): string => serviceAt("flapping", `10.9.8.${last}`, 8080);
    const pushes = async (): Promise<number> =>
      Number(/^pilot_debounce_time_count (\d+)/m.exec((await request(`${mesh.admin}/metrics`)).body)?.[1] ?? 0);
    mesh.write("flapping.yaml", slice(1));
    await mesh.synced();
    const load = startLoad({ url: "http://web/", proxy: (await mesh.proxy("client")).outbound, clients: 1 });
    const [before, started] = [await pushes(), performance.now()];
    for (let change = 0; change < 400; change++) {
      mesh.write("flapping.yaml", slice(2 + (change % 200)));
      await new Promise((resolve) => setTimeout(resolve, 8));
    }
    mesh.write("flapping.yaml", slice(250));
    const { envoyAdmin } = await mesh.proxy("client");
    await eventually("the last address, and no other", async () => {
      const { body } = await request(`http://${envoyAdmin}/clusters`);
      const addresses = new Set(
        [...body.matchAll(/^outbound\|80\|\|flapping\.default\.svc\.cluster\.local::(10\.9\.8\.\d+):/gm)].map(
          ([, address]) => address,
        ),
      );
      return addresses.size === 1 && addresses.has("10.9.8.250") ? true : undefined;
    });
    const seconds = (performance.now() - started) / 1_000;
    expect((await pushes()) - before).toBeLessThanOrEqual(Math.ceil(seconds * 10) + 1);
    const { failed } = await load.stop();
    expect(failed).toEqual([]);
  });
});
