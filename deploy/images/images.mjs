// Consumes: the built control plane, filters and demo, and the programs of this machine: node, Envoy, iptables.
// Produces: the mesh's container images as one archive, without a registry and without a container engine.
// Never does: put a shell, a package manager or an agent into the control plane's or the proxy's image.
import { readdir, readFile, realpath, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { writeArchive } from "./archive.mjs";
import { baseParts, layerOf, programParts } from "./layer.mjs";

/** Who the control plane and the proxies run as. */
const USER = "1337:1337";
/** What the proxies' own user sends is not led to the proxy: applications are somebody else. */
const APPLICATION_USER = "65532:65532";
export const DEMO_SERVICES = ["productpage", "details", "reviews", "ratings"];

/**
 * Writes the images to `out` under `hub` (as in `docker.io/scrim`); the demo's under the names that
 * deploy/demo/bookinfo has. Layers of programs are kept in `layersDir`. `programs` are paths of node, envoy, ip, iptables (xtables-nft-multi) and
 * a shell without programs of its own (busybox' would take its own `ip`).
 */
export async function buildImages({ root, layersDir, hub, out, programs }) {
  const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  const own = `${out}.layers`;
  const base = await layerOf(own, baseParts());
  const node = await layerOf(layersDir, await programParts(programs.node, "/usr/bin/node"));
  const named = (name) => `${hub}/${name}:${version}`;
  const controlPlane = {
    name: named("controlplane"),
    layers: [base, node, await layerOf(own, await controlPlaneParts(root))],
    user: USER,
    entrypoint: ["/usr/bin/node", "/opt/scrim/controlplane/cli/scrim.mjs"],
    command: ["serve", "--kubernetes"],
    environment: ["NODE_ENV=production"],
  };
  const proxy = {
    name: named("proxy"),
    layers: [base, await layerOf(layersDir, await programParts(programs.envoy, "/usr/local/bin/envoy"))],
    user: USER,
    entrypoint: ["/usr/local/bin/envoy"],
  };
  const init = {
    name: named("init"),
    layers: [base, await layerOf(layersDir, await initParts(programs))],
    user: "0:0",
    entrypoint: ["/bin/sh", "-c"],
  };
  await writeArchive(out, [controlPlane, proxy, init, ...(await demoImages({ root, own, layers: [base, node] }))]);
  await rm(own, { recursive: true });
}

async function controlPlaneParts(root) {
  const parts = [];
  for (const [folder, ending] of [
    ["controlplane/build", /\.mjs(\.map)?$/],
    ["filters/build", /\.wasm$/],
  ])
    for (const name of (await readdir(join(root, folder))).filter((each) => ending.test(each)).sort())
      parts.push({ from: join(root, folder, name), to: join("/opt/scrim", folder, name) });
  return [...parts, { from: join(root, "controlplane/cli/scrim.mjs"), to: "/opt/scrim/controlplane/cli/scrim.mjs" }];
}

/** What a pod's rules need: iptables' programs on nftables, `ip` for TPROXY, and a shell that hands the text over. */
async function initParts({ shell, iptables, ip }) {
  const names = ["iptables", "ip6tables"].flatMap((name) => [name, `${name}-save`, `${name}-restore`]);
  return [
    ...(await programParts(iptables, "/usr/sbin/xtables-nft-multi")),
    ...names.map((name) => ({ link: "xtables-nft-multi", to: `/usr/sbin/${name}` })),
    ...(await xtablesModules(iptables)),
    ...(await programParts(ip, "/usr/sbin/ip")),
    ...(await programParts(shell, "/bin/sh")),
  ];
}

/** iptables loads its matches and targets by name from a folder beside the libraries that it is linked to. */
async function xtablesModules(iptables) {
  const library = (await programParts(iptables, "")).find(({ to }) => to.includes("/libxtables.so"));
  const folder = library && (await realpath(join(dirname(library.from), "xtables")));
  return folder ? [{ from: folder, to: folder }] : [];
}

async function demoImages({ root, own, layers }) {
  const built = join(root, "deploy/demo/bookinfo/services/build");
  return Promise.all(
    DEMO_SERVICES.map(async (service) => ({
      name: `docker.io/scrim-demo/${service}:0.1.0`,
      layers: [...layers, await layerOf(own, [{ from: join(built, `${service}.mjs`), to: "/app/service.mjs" }])],
      user: APPLICATION_USER,
      entrypoint: ["/usr/bin/node", "/app/service.mjs"],
      environment: ["LISTEN_ADDRESS=0.0.0.0"],
    })),
  );
}
