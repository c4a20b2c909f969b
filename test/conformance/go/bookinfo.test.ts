// The demo in the eyes of clients that are not ours: all it sends, over each variant; and what istioctl would ask, with
// what it would read of the answers.
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Mesh, type ProxyStatus, repository, startMesh } from "../../support/mesh.ts";
import { freePort } from "../../support/ports.ts";
import { type Opinion, runGoClient, type Target, targetArguments, withoutGo } from "./clients.ts";

interface Bootstrap {
  readonly node: object;
  readonly static_resources: {
    readonly clusters: readonly {
      readonly name: string;
      readonly load_assignment?: {
        readonly endpoints: readonly {
          readonly lb_endpoints: readonly {
            readonly endpoint: {
              readonly address: { readonly socket_address: { readonly address: string; readonly port_value: number } };
            };
          }[];
        }[];
      };
    }[];
  };
}

/** What the Go client makes of an answer to istioctl. */
interface Answer {
  readonly controlPlane: {
    readonly Component: string;
    readonly ID: string;
    readonly Info: Readonly<Record<string, string>>;
  };
  readonly resources: readonly unknown[];
  readonly types: readonly string[];
  readonly problems: readonly string[];
}

interface Comparison {
  readonly same: readonly string[];
  readonly differ: readonly string[];
  readonly onlyPilot: readonly string[];
  readonly onlyEnvoy: readonly string[];
  readonly example: readonly string[];
}

interface Known {
  readonly status: ProxyStatus;
  readonly bootstrap: string;
  readonly node: string;
  readonly secure: Target;
}

const typeOf = (kind: string): string => `type.googleapis.com/envoy.${kind}`;
const variants = ["delta-ads", "world-ads", "delta", "world"];

describe.skipIf(withoutGo !== undefined)(
  `bookinfo, by clients in Go${withoutGo === undefined ? "" : `: left out, ${withoutGo}`}`,
  () => {
    let mesh: Mesh;
    let plaintext: Target;
    let productpage: Known;
    let gateway: Known;

    async function know(workload: string): Promise<Known> {
      const status = await mesh.proxy(workload);
      const text = readFileSync(join(mesh.stateDirectory, "runtime", `${status.name}.bootstrap.json`), "utf8");
      const {
        node,
        static_resources: { clusters },
      } = JSON.parse(text) as Bootstrap;
      const { address, port_value: port } = clusters.find(({ name }) => name === "xds-grpc")!.load_assignment!
        .endpoints[0]!.lb_endpoints[0]!.endpoint.address.socket_address;
      const token = /Bearer ([0-9a-f]{64})/.exec(text)![1]!;
      return {
        status,
        bootstrap: text,
        node: JSON.stringify(node),
        secure: { address: `${address}:${port}`, root: join(mesh.stateDirectory, "ca/root-cert.pem"), token },
      };
    }

    beforeAll(async () => {
      const demo = join(repository, "deploy/demo/bookinfo");
      const port = await freePort();
      plaintext = { address: `127.0.0.1:${port}` };
      mesh = await startMesh({ copy: demo, files: { "plugin.yaml": "" }, args: ["--xds-port", String(port)] });
      copyFileSync(join(repository, "filters/build/examples/add-header.wasm"), join(mesh.directory, "stamp.wasm"));
      mesh.write(
        "plugin.yaml",
        readFileSync(join(demo, "plugin.yaml"), "utf8").replace(/file:\S+/, "file://./stamp.wasm"),
      );
      await mesh.synced();
      [productpage, gateway] = [await know("productpage-v1"), await know("istio-ingressgateway")];
    });
    afterAll(() => mesh?.stop());

    const istioctl = (target: Target, type: string, ...names: readonly string[]): Promise<Answer> =>
      runGoClient<Answer>([
        "istioctl",
        ...targetArguments(target),
        "--type",
        type,
        ...names.flatMap((name) => ["--name", name]),
      ]);
    const ask = (page: string, target = plaintext): Promise<Answer> => istioctl(target, "istio.io/debug", page);

    describe("what each variant sends", () => {
      it.each(variants.flatMap((variant) => ["plaintext", "secure"].map((port) => ({ variant, port }))))(
        "$variant on the $port port: nothing unknown, nothing refused",
        async ({ variant, port }) => {
          for (const { node, secure } of [productpage, gateway]) {
            const { problems, deprecated, counts } = await runGoClient<
              Opinion & { readonly counts: Readonly<Record<string, number>> }
            >([
              "resources",
              ...targetArguments(port === "secure" ? secure : plaintext),
              "--variant",
              variant,
              "--node",
              node,
            ]);
            expect([problems, deprecated]).toEqual([[], []]);
            for (const kind of [
              "config.cluster.v3.Cluster",
              "config.endpoint.v3.ClusterLoadAssignment",
              "config.listener.v3.Listener",
              "config.route.v3.RouteConfiguration",
              "config.core.v3.TypedExtensionConfig",
            ])
              expect([kind, counts[typeOf(kind)]]).toEqual([kind, expect.toSatisfy((count: number) => count > 0)]);
            expect(counts[typeOf("extensions.transport_sockets.tls.v3.Secret")] ?? 0).toBe(port === "secure" ? 2 : 0);
          }
        },
      );
    });

    it("starts Envoys on bootstraps with nothing unknown or refused in them", async () => {
      for (const { bootstrap } of [productpage, gateway])
        expect(await runGoClient<Opinion>(["bootstrap"], bootstrap)).toMatchObject({
          problems: [],
          deprecated: [],
          messages: { "envoy.config.bootstrap.v3.Bootstrap": 1 },
        });
    });

    describe("istioctl", () => {
      it("proxy-status: one line for each proxy, none for itself, and by whom", async () => {
        for (const target of [
          plaintext,
          { address: gateway.secure.address, token: gateway.secure.token!, insecure: true },
        ]) {
          const { controlPlane, resources, problems } = await istioctl(target, "istio.io/debug/syncz");
          expect(problems).toEqual([]);
          expect(controlPlane).toMatchObject({
            Component: "istiod",
            ID: expect.stringMatching(/^scrim-\d+$/) as string,
            Info: { version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string },
          });
          expect(resources).toHaveLength((await mesh.proxies()).length);
          for (const resource of resources as {
            readonly genericXdsConfigs: readonly { readonly configStatus: string }[];
          }[])
            expect(resource.genericXdsConfigs.map(({ configStatus }) => configStatus)).toEqual(Array(5).fill("SYNCED"));
        }
      });

      it("proxy-status POD: clusters match, listeners match, routes match", async () => {
        for (const { status } of [productpage, gateway]) {
          const all = await runGoClient<Readonly<Record<string, Comparison>>>([
            "compare",
            ...targetArguments(plaintext),
            "--envoy",
            `http://${status.envoyAdmin}`,
            "--proxy",
            `${status.name}.${status.namespace}`,
          ]);
          for (const kind of ["clusters", "listeners", "routes"]) {
            expect(all[kind]).toMatchObject({ differ: [], onlyPilot: [], onlyEnvoy: [] });
            expect(all[kind]?.same).not.toEqual([]);
          }
        }
      });

      it("proxy-status POD of one that is not there: an empty answer, so that istioctl asks the next one", async () => {
        expect((await istioctl(plaintext, "istio.io/debug/config_dump", "nobody.default")).resources).toEqual([]);
      });

      it("version: every proxy's, and not its own", async () => {
        const { resources, problems } = await istioctl(plaintext, "istio.io/connections");
        expect(problems).toEqual([]);
        expect(resources).toHaveLength((await mesh.proxies()).length);
        for (const node of resources)
          expect(node).toMatchObject({
            metadata: { PROXY_CONFIG: {}, ISTIO_VERSION: "envoy 1.40.0", CLUSTER_ID: "Kubernetes" },
          });
      });

      it("internal-debug: each page in istiod's form, and its sentences where the question is wrong", async () => {
        const { name, namespace } = productpage.status;
        const pages = JSON.parse((await ask("list")).resources[0] as string) as readonly string[];
        for (const page of pages)
          expect(await ask(`${page}?proxyID=${name}.${namespace}`)).toMatchObject({
            problems: [],
            types: ["istio.io/debug"],
            resources: [expect.stringMatching(/^[[{]/)],
          });
        expect((await ask("edsz")).resources).toEqual([
          expect.stringContaining("You must provide a proxyID in the query string"),
        ]);
        expect((await ask("edsz?proxyID=nobody")).resources).toEqual([
          expect.stringContaining(
            "Proxy not connected to this Pilot instance. It may be connected to another instance.",
          ),
        ]);
        expect((await ask("nothing")).resources).toEqual([expect.stringContaining("404 page not found")]);
      });

      it("with a workload's token: its own namespace, and nothing of the mesh", async () => {
        const inDefault = (await mesh.proxies()).filter(({ namespace }) => namespace === "default");
        expect((await istioctl(productpage.secure, "istio.io/debug/syncz")).resources).toHaveLength(inDefault.length);
        expect(
          (await istioctl(productpage.secure, "istio.io/debug/config_dump", `${gateway.status.name}.istio-system`))
            .resources,
        ).toEqual([]);
        await expect(ask("registryz", productpage.secure)).rejects.toThrow("PermissionDenied");
        await expect(ask("syncz", { ...productpage.secure, token: "guessed" })).rejects.toThrow("Unauthenticated");
      });
    });

    it("reads each debug page over HTTP as istiod's", async () => {
      const reports = await runGoClient<
        Readonly<Record<string, { readonly status: number; readonly contentType: string; readonly problem?: string }>>
      >(["pages", "--admin", mesh.admin, "--proxy", `${productpage.status.name}.${productpage.status.namespace}`]);
      for (const [page, { status, contentType, problem }] of Object.entries(reports))
        expect([page, status, contentType.split(";")[0], problem]).toEqual([page, 200, "application/json", undefined]);
    });
  },
);
