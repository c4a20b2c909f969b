import { describe, expect, it } from "vitest";
import type { ProxyStatus } from "../admin/contract.ts";
import { loadText } from "../store/load.ts";
import { readEnvironment } from "../settings/environment.ts";
import { createSystemClock } from "../telemetry/clock.ts";
import { findProxy } from "./admin-client.ts";
import { ScrimError } from "../model/failure.ts";
import { exitCodeOf } from "./exit-codes.ts";
import { createProgram } from "./index.ts";
import { renderTable, renderValue } from "./output.ts";
import { viewOf } from "./proxy-config/command.ts";
import { readEndpoints } from "./proxy-config/endpoints.ts";
import { renderProxyTable, renderRejections } from "./proxy-status.ts";
import { gatewayUrls, hintsFor, renderMesh } from "./up-report.ts";

const proxy = (changes: Partial<ProxyStatus> = {}): ProxyStatus => ({
  name: "reviews-v1-0-x2b9f",
  kind: "sidecar",
  workload: "reviews-v1",
  namespace: "default",
  cluster: "local",
  identity: "spiffe://cluster.local/ns/default/sa/bookinfo-reviews",
  podIp: "127.10.4.7",
  outbound: "127.10.4.7:15001",
  envoyAdmin: "127.10.4.7:15000",
  pid: 42,
  envoyVersion: "1.40.0",
  ports: [{ port: 9080, address: "127.10.4.7:9080" }],
  sync: { cds: "SYNCED", lds: "SYNCED", eds: "STALE", rds: "SYNCED", vhds: "IGNORED", ecds: "SYNCED", sds: "SYNCED" },
  rejections: [],
  ready: true,
  terminating: false,
  ...changes,
});

describe("output", () => {
  it("prints plain columns that awk can split", () => {
    expect(
      renderTable(
        ["NAME", "X"],
        [
          ["a", "1"],
          ["longer", ""],
        ],
      ),
    ).toBe("NAME     X\na        1\nlonger\n");
  });
  it("prints JSON and YAML", () => {
    expect(renderValue([{ a: 1 }], "json")).toBe('[\n  {\n    "a": 1\n  }\n]\n');
    expect(renderValue([{ a: 1 }], "yaml")).toBe("- a: 1\n");
  });
});

describe("proxy-status", () => {
  it("has Istio's columns", () => {
    expect(
      renderProxyTable([proxy()])
        .split("\n")
        .map((line) => line.split(/ {3,}/)),
    ).toEqual([
      ["NAME", "CLUSTER", "CDS", "LDS", "EDS", "RDS", "ECDS", "VHDS", "SDS", "VERSION"],
      [
        "reviews-v1-0-x2b9f.default",
        "local",
        "SYNCED",
        "SYNCED",
        "STALE",
        "SYNCED",
        "SYNCED",
        "IGNORED",
        "SYNCED",
        "1.40.0",
      ],
      [""],
    ]);
  });

  it("says of what was rejected whose fault it is and who goes without", () => {
    const rejections = (["content", "repeated", "proxy", "unconfirmed", "examined"] as const).map(
      (blame) => ({ type: "lds", resources: ["main"], message: "no", atMs: 1, blame }) as const,
    );
    expect(renderRejections([proxy({ name: "web", rejections })]).split("\n")).toEqual([
      "",
      "web.default is without lds main: no (no Envoy loads it; all proxies keep the one before)",
      "web.default is without lds main: no (more than one proxy rejected it; all keep the one before)",
      "web.default rejected lds main: no (it loads elsewhere; only this proxy keeps the one before)",
      "web.default rejected lds main: no",
      "web.default is without lds main: no (one proxy rejected it; whether others would is being found out)",
      "",
    ]);
    expect(renderRejections([proxy()])).toBe("");
  });
});

describe("findProxy", () => {
  const all = [
    proxy({ terminating: true, name: "reviews-v1-0-old11" }),
    proxy(),
    proxy({ name: "web-0", workload: "web" }),
    proxy({ name: "web-1", workload: "web", namespace: "shop" }),
  ];
  it.each([
    "reviews-v1-0-x2b9f",
    "reviews-v1-0-x2b9f.default",
    "default/reviews-v1-0-x2b9f",
    "reviews-v1",
    "default/reviews-v1",
    "reviews-v1.default",
    "deploy/reviews-v1",
  ])("takes %s for the serving pod", (name) => {
    expect(findProxy(all, name).name).toBe("reviews-v1-0-x2b9f");
  });
  it("asks for the namespace where a name is not enough, and lists what there is", () => {
    expect(() => findProxy(all, "web")).toThrow(expect.objectContaining({ code: "usage" }));
    expect(findProxy(all, "shop/web").name).toBe("web-1");
    expect(() => findProxy(all, "nobody")).toThrow(
      expect.objectContaining({ code: "not-found", message: expect.stringContaining("web-1.shop") }),
    );
  });
});

const typed = (type: string, rest: object) => ({ "@type": `type.googleapis.com/envoy.admin.v3.${type}`, ...rest });
const istio = (path: string) => ({
  filter_metadata: { istio: { config: `/apis/networking.istio.io/v1/namespaces/default/${path}` } },
});
const dump = {
  configs: [
    typed("ClustersConfigDump", {
      dynamic_active_clusters: [
        {
          cluster: {
            name: "outbound|9080|v1|reviews.default.svc.cluster.local",
            type: "EDS",
            metadata: istio("destination-rule/reviews"),
          },
        },
        { cluster: { name: "inbound|9080||", type: "STATIC" } },
      ],
    }),
    typed("ListenersConfigDump", {
      dynamic_listeners: [
        {
          name: "x",
          active_state: {
            listener: {
              name: "127.10.4.7_9080",
              address: { socket_address: { address: "127.10.4.7", port_value: 9080 } },
              filter_chains: [
                {
                  filter_chain_match: { transport_protocol: "tls", application_protocols: ["istio"] },
                  filters: [
                    {
                      typed_config: {
                        route_config: {
                          name: "inbound|9080||",
                          virtual_hosts: [{ routes: [{ route: { cluster: "inbound|9080||" } }] }],
                        },
                      },
                    },
                  ],
                },
                { filters: [{ typed_config: { rds: { route_config_name: "80" } } }] },
              ],
            },
          },
        },
      ],
    }),
    typed("RoutesConfigDump", {
      dynamic_route_configs: [
        {
          route_config: {
            name: "80",
            virtual_hosts: [
              {
                name: "reviews",
                domains: ["a", "b", "c"],
                routes: [
                  { match: { prefix: "/" }, metadata: istio("virtual-service/reviews") },
                  { match: { path: "/x" } },
                  { match: { safe_regex: { regex: "/.*" } } },
                ],
              },
            ],
          },
        },
      ],
    }),
    typed("SecretsConfigDump", {
      dynamic_active_secrets: [{ name: "default", secret: { tls_certificate: {} } }],
      dynamic_warming_secrets: [
        { name: "ROOTCA", secret: { validation_context: { trusted_ca: { inline_string: "not a certificate" } } } },
      ],
    }),
    typed("EcdsConfigDump", {
      ecds_filters: [
        {
          version_info: "v2",
          ecds_filter: {
            name: "default.header",
            typed_config: {
              config: { vm_config: { code: { local: { inline_bytes: Buffer.from("module").toString("base64") } } } },
            },
          },
        },
        { version_info: "", ecds_filter: { name: "default.broken" }, error_state: { details: "no such module" } },
      ],
    }),
  ],
};
const rows = (kind: Parameters<typeof viewOf>[0]) => viewOf(kind, dump, 0).rows;

describe("proxy-config", () => {
  it("splits cluster names and names the DestinationRule", () => {
    expect(rows("cluster")).toEqual([
      ["-", "9080", "-", "inbound", "STATIC", ""],
      ["reviews.default.svc.cluster.local", "9080", "v1", "outbound", "EDS", "reviews.default"],
    ]);
  });
  it("shows a row for each filter chain", () => {
    expect(rows("listener")).toEqual([
      ["127.10.4.7", "9080", "Trans: tls; App: istio", "Cluster: inbound|9080||"],
      ["127.10.4.7", "9080", "ALL", "Route: 80"],
    ]);
  });
  it("shows routes with their VirtualService", () => {
    expect(rows("route")).toEqual([
      ["80", "reviews", "a, b + 1 more...", "/*", "reviews.default"],
      ["80", "reviews", "a, b + 1 more...", "/x", ""],
      ["80", "reviews", "a, b + 1 more...", "regex /.*", ""],
    ]);
  });
  it("shows secrets even when a certificate cannot be read", () => {
    expect(rows("secret").map((row) => row.slice(0, 4))).toEqual([
      ["default", "Cert Chain", "ACTIVE", "-"],
      ["ROOTCA", "CA", "WARMING", "-"],
    ]);
  });
  it("shows filters with version, the module's digest and status", () => {
    expect(viewOf("ecds", dump, 0).objects).toEqual([
      { name: "default.broken", version: "", sha256: "", status: "ERROR: no such module" },
      {
        name: "default.header",
        version: "v2",
        sha256: "120970d812836f19888625587a4606a5ad23cef31c8684e601771552548fc6b9",
        status: "ACTIVE",
      },
    ]);
  });
  it("shows nothing, and does not fail, for a dump it does not know", () => {
    for (const kind of ["cluster", "listener", "route", "secret", "ecds"] as const)
      expect(viewOf(kind, { configs: "?" }, 0).rows).toEqual([]);
  });
  it("shows endpoints with health", () => {
    const clusters = {
      cluster_statuses: [
        {
          name: "c",
          host_statuses: [
            {
              address: { socket_address: { address: "127.10.4.7", port_value: 9080 } },
              health_status: { eds_health_status: "HEALTHY", failed_outlier_check: true },
            },
          ],
        },
      ],
    };
    expect(readEndpoints(clusters)).toEqual([
      { endpoint: "127.10.4.7:9080", status: "HEALTHY", outlierCheck: "FAILED", cluster: "c" },
    ]);
  });
});

describe("what `scrim up` prints", () => {
  const { world } = loadText(`apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: g}
spec:
  selector: {istio: ingressgateway}
  servers:
    - {port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}
    - {port: {number: 443, name: https, protocol: HTTPS}, hosts: ["*"], tls: {mode: SIMPLE, credentialName: c}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: v}
spec:
  hosts: ["*"]
  gateways: [g]
  http: [{match: [{uri: {prefix: /api}}, {uri: {exact: /productpage}}], route: [{destination: {host: productpage}}]}]
`);
  const router = proxy({
    kind: "router",
    workload: "istio-ingressgateway",
    ports: [
      { port: 80, address: "127.0.0.1:8080" },
      { port: 443, address: "127.0.0.1:8443" },
    ],
  });

  it("leads to a path that is answered", () => {
    expect(gatewayUrls([proxy(), router], world)).toEqual([
      "http://127.0.0.1:8080/productpage",
      "https://127.0.0.1:8443/productpage",
    ]);
  });
  it("names the addresses, every workload, and who is missing", () => {
    const text = renderMesh({
      adminUrl: "http://127.0.0.1:15014",
      envoyVersion: "1.40.0",
      gateways: ["http://127.0.0.1:8080/productpage"],
      proxies: [proxy(), router],
      missing: [{ who: "web.default", why: "does not answer yet" }],
      unenforced: [{ object: "PeerAuthentication/a/b", protection: "not enforced", why: "a.yaml:1: is required" }],
      hints: ["not run: a"],
    });
    expect(text).toMatch(/^hint {5}not run: a$/m);
    expect(text).toMatch(/^gateway {2}http:\/\/127\.0\.0\.1:8080\/productpage$/m);
    expect(text).toMatch(/^admin {4}http:\/\/127\.0\.0\.1:15014$/m);
    expect(text).toMatch(/^reviews-v1 +127\.10\.4\.7:9080 +spiffe:\S+ +1\.40\.0 +no$/m);
    expect(text).toContain("web.default: does not answer yet");
    expect(text).toContain("SECURITY, NOT ENFORCED:\n  PeerAuthentication/a/b: a.yaml:1: is required\n");
  });
});

describe("hints", () => {
  const deployment = (name: string, annotations: string) =>
    `{apiVersion: apps/v1, kind: Deployment, metadata: {name: ${name}}, spec: {template: {metadata: {annotations: ${annotations}}}}}`;

  it("name Deployments that say nothing of how they run here, and a directory that holds nothing", () => {
    const text = [deployment("a", "{}"), deployment("b", "{scrim.mesh/local-command: node b.mjs}")].join("\n---\n");
    expect(hintsFor(loadText(text).world)).toEqual([
      "not run: Deployment default/a: the pod template's annotation scrim.mesh/local-command says how",
    ]);
    expect(hintsFor(loadText("").world)).toEqual([expect.stringContaining("no workload, Service or Gateway")]);
    expect(hintsFor(loadText(deployment("b", "{scrim.mesh/local-command: b}")).world)).toEqual([]);
  });
});

describe("the command tree", () => {
  const printed: string[] = [];
  const terminal = { out: (text: string) => void printed.push(text), err: (text: string) => void printed.push(text) };
  const program = createProgram({
    environment: readEnvironment({}),
    installation: { launcher: "", filtersDir: "", pluginCheckScript: "", yamlThreadScript: "" },
    terminal,
    clock: createSystemClock(),
  });

  it.each([
    ["up"],
    ["serve"],
    ["proxy-status"],
    ["proxy-config"],
    ["proxy-config", "ecds"],
    ["translate"],
    ["bootstrap"],
    ["envoy"],
    ["plugin"],
    ["plugin", "push"],
    ["plugin", "run"],
    ["version"],
  ])("has --help for %s", async (...names) => {
    printed.length = 0;
    await expect(
      createProgram({
        environment: readEnvironment({}),
        installation: { launcher: "", filtersDir: "", pluginCheckScript: "", yamlThreadScript: "" },
        terminal,
        clock: createSystemClock(),
      }).parseAsync([...names, "--help"], { from: "user" }),
    ).rejects.toMatchObject({ exitCode: 0 });
    expect(printed.join("")).toContain("Usage: scrim");
  });
  it("refuses a bootstrap without a namespace", async () => {
    await expect(program.parseAsync(["bootstrap", "--proxy", "web"], { from: "user" })).rejects.toMatchObject({
      name: "ScrimError",
      code: "usage",
    });
  });
  it("takes --admin-port and --admin-address for both that run a mesh", () => {
    const long = (name: string) => program.commands.find((command) => command.name() === name)?.options ?? [];
    for (const name of ["up", "serve"])
      expect(long(name).map((option) => option.long)).toEqual(
        expect.arrayContaining(["--admin-port", "--admin-address"]),
      );
  });
});

describe("exit codes", () => {
  it.each([
    ["failed", 1],
    ["usage", 2],
    ["unreachable", 3],
    ["not-found", 4],
    ["invalid", 5],
    ["address-taken", 1],
  ])("of %s is %i", (code, exitCode) => expect(exitCodeOf(new ScrimError(code, "no"))).toBe(exitCode));
});
