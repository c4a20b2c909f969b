import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { captureRules } from "../../capture/rules.ts";
import { captureSettings } from "../../capture/settings.ts";
import { createAddressBlock } from "../claims.ts";
import { createIsolatedNetwork } from "./isolated-network.ts";
import { parseListening } from "./listening.ts";
import { findPrograms } from "./programs.ts";
import { podScript } from "./scripts.ts";
import { asUser, workloadUser } from "./workload-user.ts";

describe("findPrograms", () => {
  const everywhere = (name: string) => `/usr/sbin/${name}`;

  it("says in a sentence what is missing, and what works without it", () => {
    const said = (uid: number, platform = "linux", find = everywhere as (name: string) => string | undefined) =>
      findPrograms({ uid, platform }, find);
    expect(said(0)).toMatchObject({ kind: "programs", programs: { ip: "/usr/sbin/ip" } });
    expect(said(1_000)).toMatchObject({
      kind: "failed",
      message:
        "--isolate makes network namespaces, which takes root: run it by sudo. " +
        "Without --isolate no privilege is needed: programs then reach the mesh through HTTP_PROXY.",
    });
    const without = said(0, "linux", (name) => (/^ip/.test(name) ? undefined : name));
    expect(without).toMatchObject({ kind: "failed" });
    expect(JSON.stringify(without)).toContain("--isolate needs ip, ip6tables-restore, iptables-restore (on Debian");
    expect(said(0, "darwin")).toMatchObject({ kind: "failed", code: "cannot-isolate" });
  });
});

describe("createIsolatedNetwork", () => {
  const plan = (annotations: Readonly<Record<string, string>>) =>
    ({ annotations, ports: [{ name: "http", port: 9080 }] }) as never;

  it("gives each pod an address, and its admin page one of the machine's", () => {
    const network = createIsolatedNetwork(createAddressBlock("127.9.9"), false);
    expect(network.take()).toEqual({ ip: "10.244.0.2", admin: { address: "127.9.9.2", port: 15_000 } });
    expect(network.take().ip).toBe("10.244.0.3");
    expect(createIsolatedNetwork(createAddressBlock("127.9.9"), true).take().moreIps).toEqual(["fd00:10:244::2"]);
  });

  it("lets programs listen where they declare, and refuses what would let connections pass by the sidecar", async () => {
    const network = createIsolatedNetwork(createAddressBlock("127.9.9"), false);
    const at = { address: "10.244.0.2", port: 9080 };
    expect(await network.placeSidecar("10.244.0.2", plan({}))).toEqual({
      ports: [{ name: "http", port: 9080, bind: at, application: at }],
      capture: "REDIRECT",
      claimed: [],
    });
    const none = plan({ "sidecar.istio.io/interceptionMode": "NONE" });
    await expect(network.placeSidecar("10.244.0.2", none)).rejects.toThrow("interceptionMode NONE");
    const wrong = plan({ "traffic.sidecar.istio.io/excludeInboundPorts": "http" });
    await expect(network.placeSidecar("10.244.0.2", wrong)).rejects.toThrow("http is not a port");
  });
});

describe("podScript", () => {
  it("applies the rules of both families, and routes under TPROXY", () => {
    const script = podScript({
      ip: "10.244.0.7",
      prefixLength: 24,
      gateway: "10.244.0.1",
      folder: "/run/scrim/10.244.0.7",
      ipv6: ["fd00:10:244::7"],
      rules: captureRules(captureSettings({ mode: "TPROXY" })),
    });
    expect(script).toContain("ip address add 10.244.0.7/24 dev eth0");
    expect(script).toContain("ip address add fd00:10:244::7/64 dev eth0 nodad");
    expect(script).toContain("iptables-restore --noflush <<'RULES'\n*raw");
    expect(script).toContain("ip -4 rule add fwmark 1337 lookup 133");
  });
});

describe("workloadUser", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "scrim-user-"));
    await mkdir(join(folder, "mesh"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it("is whom the template asks for, and may read all only where the way is closed to it", async () => {
    await chmod(folder, 0o755);
    expect(await workloadUser(join(folder, "mesh"), { uid: 12_345 })).toEqual({
      uid: 12_345,
      gid: 12_345,
      readsAll: false,
    });
    await chmod(folder, 0o700);
    expect(await workloadUser(join(folder, "mesh"), { uid: 12_345, gid: 7 })).toEqual({
      uid: 12_345,
      gid: 7,
      readsAll: true,
    });
  });

  it("keeps from its programs what could change rules", () => {
    const prefix = asUser("setpriv", { uid: 0, gid: 0, readsAll: false }).join(" ");
    expect(prefix).toContain("--bounding-set=-all,+chown");
    expect(prefix).not.toMatch(/net_admin|sys_admin|net_raw/);
  });
});

describe("parseListening", () => {
  it("reads the sockets that listen, and no others", () => {
    const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid
   0: 0700F40A:2378 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1
   1: 0100007F:1F90 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1000        0 2 1
`;
    expect(parseListening(table)).toEqual([{ hex: "0700F40A", port: 9_080 }]);
  });
});
