// What editors, tools and volume mounts do to the files of a mesh, while requests flow: the last good objects stay, and
// a word names what is wrong.
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { arrived } from "../../../bench/endurance/arrival.ts";
import { ask, startTraffic, type Traffic } from "../../../bench/endurance/traffic.ts";
import { createWorld, type World } from "../../../bench/endurance/world.ts";
import { request } from "../../support/mesh.ts";
import { type ControlPlanePorts, freePorts } from "../../support/serve-settings.ts";
import { type ServedMesh, startServe } from "../../support/serve.ts";
import { eventually } from "../../support/until.ts";
import { routeWithHeader } from "../../support/workloads.ts";

interface Violation {
  readonly file: string;
  readonly object?: string;
  readonly message: string;
  readonly servingLastGood: boolean;
}

let world: World;
let ports: ControlPlanePorts;
let controlPlane: ServedMesh;
let traffic: Traffic;
let mounted = "";

/** Sets a header on the answers of `outside`. */
const route = (value: string, name = "outside"): string => routeWithHeader(name, "x-extra", value);

const violations = async (): Promise<readonly Violation[]> =>
  JSON.parse((await request(`http://127.0.0.1:${ports.admin}/debug/violations`)).body) as Violation[];
const named = (part: string) =>
  eventually(`a word about ${part}`, async () =>
    (await violations()).find(({ file, message }) => `${file} ${message}`.includes(part)),
  );
const nothingWrong = () =>
  eventually("nothing wrong", async () => ((await violations()).length === 0 ? true : undefined));
const extra = async (): Promise<string> => String((await ask(world.outbound, "outside")).headers["x-extra"]);
const shows = (value: string) =>
  eventually(`x-extra: ${value}`, async () => ((await extra()) === value ? true : undefined));

/** A new version of what is mounted, as a kubelet brings it: a directory of its own, and one link that is swapped. */
function mount(version: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(join(mounted, `..${version}`), { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(mounted, `..${version}`, name), text);
  symlinkSync(`..${version}`, join(mounted, "..data_tmp"));
  renameSync(join(mounted, "..data_tmp"), join(mounted, "..data"));
}

beforeAll(async () => {
  world = await createWorld();
  ports = await freePorts();
  mounted = join(world.directories.mesh, "mounted");
  mount("v1", { "extra.yaml": route("v1") });
  symlinkSync("..data/extra.yaml", join(mounted, "extra.yaml"));
  controlPlane = startServe({ directories: world.directories, ports });
  await controlPlane.ready();
  await world.startEnvoys(ports.xds);
  await arrived(world);
  traffic = startTraffic(world.outbound, () => ["web", "outside"], 20);
});
afterAll(async () => {
  await traffic?.stop();
  await world?.close();
  await controlPlane?.stop();
});

describe("a mesh's files", () => {
  it("that are mounted by a link are all of the new version once it is swapped", async () => {
    await shows("v1");
    mount("v2", { "extra.yaml": route("v2") });
    await shows("v2");
    // In the new version one of two objects is wrong.
    mount("v3", { "extra.yaml": [route("v3"), route("v3", "web").replace("hosts: [web]", "hosts: 7")].join("---\n") });
    expect(await named("extra.yaml")).toMatchObject({ object: expect.stringContaining("web") as string });
    await shows("v3");
    mount("v4", { "extra.yaml": route("v4") });
    await shows("v4");
    await nothingWrong();
  });

  it("that a link does not lead to any more are kept, and a word names the link", async () => {
    rmSync(join(mounted, "..data"));
    const problem = await named("extra.yaml");
    expect(problem.message).toContain("last");
    expect(await extra()).toBe("v4");
    mount("v5", { "extra.yaml": route("v5") });
    await shows("v5");
    await nothingWrong();
  });

  it("that are half-written, or no text at all, are as they were before, and a word names the place", async () => {
    const path = join(world.directories.mesh, "route.yaml");
    for (const text of [
      "apiVersion: networking.istio.io/v1\nkind: VirtualService\n" +
        "metadata: {name: web, namespace: default}\nspec:\n  hosts: [we",
      "\0\x01\xff\xfe\n",
      "{[}]\n",
    ]) {
      writeFileSync(path, text, "latin1");
      expect(await named("route.yaml")).toMatchObject({ servingLastGood: true });
      expect((await ask(world.outbound, "web")).headers["x-route"]).toBe("0");
    }
    world.change({ route: 1 });
    await arrived(world);
    await nothingWrong();
  });

  it("that vanish with their directory are kept until it comes back, and a word says so", async () => {
    renameSync(world.directories.mesh, `${world.directories.mesh}-away`);
    await named("the directory is gone");
    await arrived(world);
    renameSync(`${world.directories.mesh}-away`, world.directories.mesh);
    world.change({ route: 2 });
    await arrived(world);
    await nothingWrong();
    await traffic.stop();
    const { sent, failures } = traffic.totals();
    expect([sent > 50, failures]).toEqual([true, []]);
  });
});
