// A captured sidecar's own life: one Envoy with the files of its pod, and nobody beside it.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CapturedMesh, startCapturedMesh } from "../../support/captured-mesh.ts";
import { namespacesMissing } from "../../support/namespaces.ts";
import { eventually } from "../../support/until.ts";

const mesh = `
apiVersion: v1
kind: Service
metadata: {name: orders}
spec: {selector: {app: orders}, ports: [{name: http, port: 8080}, {name: tcp-greeting, port: 2525}]}
---
apiVersion: v1
kind: Service
metadata: {name: seen}
spec: {selector: {app: seen}, ports: [{name: http, port: 8080}, {name: tcp-greeting, port: 2525}]}
`;
const serves = { 8080: "http", 2525: "greeting", 9100: "http" } as const;
const get = (more = "connection: close\r\n") => ({
  send: `GET / HTTP/1.1\r\nhost: x\r\n${more}\r\n`,
  until: '"from"',
});

describe.skipIf(namespacesMissing() !== undefined)("a captured sidecar", () => {
  let captured: CapturedMesh;
  beforeAll(async () => {
    captured = await startCapturedMesh(mesh, [
      { name: "orders-0", app: "orders", capture: "REDIRECT", serves },
      { name: "seen-0", app: "seen", capture: "TPROXY", serves, families: ["IPv6", "IPv4"] },
      { name: "stranger-0", app: "stranger" },
    ]);
  });
  afterAll(() => captured?.stop());

  it("tells anybody that it is ready", () => {
    const [orders, stranger] = [captured.pod("orders-0"), captured.pod("stranger-0")];
    const ask = { send: "GET /healthz/ready HTTP/1.1\r\nhost: x\r\n\r\n" };
    for (const host of [orders.ipv4, orders.ipv6])
      expect(stranger.dial(host, 15021, { ...ask, until: "LIVE" }).end).toBe("enough");
  });

  it.each([
    ["ipv4", 8080],
    ["ipv4", 9100],
    ["ipv6", 8080],
    ["ipv6", 9100],
  ] as const)("shows its application who calls, under TPROXY: over %s on port %d", (family, port) => {
    const [seen, stranger] = [captured.pod("seen-0"), captured.pod("stranger-0")];
    expect(stranger.dial(seen[family], port, get()).received).toContain('"from"');
    const { received } = stranger.dial(seen[family], port, { ...get(), until: "}" });
    expect(received).toMatch(new RegExp(`"from":"${stranger[family]}"|${stranger[family]}`));
    const tls = { as: "shop", alpn: ["istio"] };
    expect(stranger.dial(seen[family], 2525, { tls, until: "\n" }).received).toBe(`220 hello ${stranger[family]}\n`);
  });

  it("shows the control plane the token that is in the file, from the next stream on", async () => {
    const state = () => captured.pod("orders-0").admin("/stats?filter=control_plane.connected_state");
    expect(await state()).toContain(": 1");
    await captured.renewToken("orders-0");
    // Started again, it takes none but the new one.
    await captured.restart();
    await eventually("a stream", async () => ((await state()).includes(": 1") ? true : undefined));
    const [orders] = JSON.parse(captured.proxies()) as { name: string; sync: object }[];
    expect(orders).toMatchObject({ name: "orders-0", sync: { cds: "SYNCED", lds: "SYNCED", sds: "SYNCED" } });
  });

  it("says goodbye to peers when its owner tells it to, and serves on", async () => {
    const [orders, stranger] = [captured.pod("orders-0"), captured.pod("stranger-0")];
    expect(stranger.dial(orders.ipv4, 8080, { ...get(""), until: "}" }).received).not.toContain("connection: close");
    await orders.admin("/drain_listeners?inboundonly&graceful&skip_exit", "POST");
    await eventually(
      "a goodbye",
      () =>
        stranger.dial(orders.ipv4, 8080, { ...get(""), until: "}" }).received.includes("connection: close") ||
        undefined,
    );
    expect(stranger.dial(orders.ipv4, 2525, { until: "\n" }).received).toContain("220 hello");
  });
});
