// One sidecar's inbound side on a real Envoy, out of YAML: translated as in the mesh, delivered by files in place of
// xDS.
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import http from "node:http";
import net, { type AddressInfo } from "node:net";
import { join } from "node:path";
import tls from "node:tls";
import { openAuthority, type IssuedCertificate } from "../../controlplane/ca/authority.ts";
import { spiffeId } from "../../controlplane/model/spiffe.ts";
import type { BuiltinFilter } from "../../controlplane/model/wasm-module.ts";
import { loadText } from "../../controlplane/store/load.ts";
import { wasmFiltersOf } from "../../controlplane/translate/emit/http-chain.ts";
import { buildInboundCluster } from "../../controlplane/translate/emit/inbound-cluster.ts";
import { buildInboundListener } from "../../controlplane/translate/emit/inbound-listener.ts";
import { buildWasmExtension } from "../../controlplane/translate/emit/wasm-filter.ts";
import { classPorts, type MeshProxy } from "../../controlplane/translate/ir/proxy-class.ts";
import { type PlacedInboundPort, placeInbound } from "../../controlplane/translate/ir/places.ts";
import type { RequestForm } from "../../controlplane/model/request-form.ts";
import type { PluginModules } from "../../controlplane/translate/ir/modules.ts";
import { resolveInbound } from "../../controlplane/translate/resolve/inbound.ts";
import { createInputs } from "../../controlplane/world/inputs.ts";
import { toProto3Json } from "../../protos/codec.ts";
import { scratchDirectory } from "./children.ts";
import { type Envoy, startEnvoy } from "./envoy.ts";
import { freePort, isOpen } from "./ports.ts";
import { until } from "./until.ts";

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

export interface Sending {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: http.OutgoingHttpHeaders;
  /** A service account of `default` whose certificate is shown; none: plaintext. */
  readonly as?: string;
  readonly agent?: http.Agent;
}

const asInIstio: RequestForm = { pathNormalization: "BASE", headersWithUnderscoresAction: "ALLOW" };

type Path = (name: string) => string;

/** A sidecar of `reviews` with the given container ports, before an application that echoes what it got. */
export class InboundEnvoy {
  #ports: ReadonlyMap<number, number> = new Map();
  readonly #directory = scratchDirectory();
  readonly #at: Path = (name) => join(this.#directory, name);
  readonly #application = http.createServer((request, response) =>
    response.end(JSON.stringify({ path: request.url, headers: request.headers })),
  );
  readonly #certificates = new Map<string, IssuedCertificate>();
  #envoy: Envoy | undefined;
  #forms: ReadonlyMap<number, RequestForm> = new Map();

  /** Starts it on the mesh that `yaml` describes; ports may be given request forms of their own. */
  static async start(
    yaml: string,
    ports: readonly number[],
    forms: ReadonlyMap<number, RequestForm> = new Map(),
  ): Promise<InboundEnvoy> {
    const envoy = new InboundEnvoy();
    envoy.#forms = forms;
    await new Promise<void>((resolve) => envoy.#application.listen(0, "127.0.0.1", resolve));
    envoy.#ports = new Map(await Promise.all(ports.map(async (port) => [port, await freePort()] as const)));
    envoy.#writeSecrets();
    const inbound = envoy.#deliver(yaml);
    envoy.#envoy = await startEnvoy(envoy.#bootstrap(inbound), { directory: envoy.#directory });
    const areOpen = async (): Promise<boolean> =>
      (await Promise.all([...envoy.#ports.values()].map(isOpen))).every(Boolean);
    await until(areOpen, "open ports", envoy.#envoy.log);
    return envoy;
  }

  /** Delivers the filter configurations of another mesh: listeners stay what they are. */
  change(yaml: string): void {
    this.#deliver(yaml);
  }

  /** Sends one request to a container port. Rejects when the connection is refused or reset. */
  async send(port: number, { path = "/", method = "GET", headers = {}, as, agent }: Sending = {}): Promise<Answer> {
    const options = {
      host: "127.0.0.1",
      port: this.#ports.get(port),
      path,
      method,
      headers: { host: "reviews:9080", connection: agent ? "keep-alive" : "close", ...headers },
    };
    // Node asks createConnection only where no agent was named.
    const connection =
      as === undefined ? { agent: agent ?? false } : { createConnection: () => this.connect(port, as) };
    return new Promise((resolve, reject) => {
      const sent = http.request({ ...options, ...connection }, (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(parts).toString(),
          }),
        );
        response.on("error", reject);
      });
      sent.on("error", reject);
      sent.end();
    });
  }

  /** Opens a mutual TLS connection as a sidecar of `default/<account>` would. */
  connect(port: number, account: string, alpn: readonly string[] = ["istio-http/1.1", "istio"]): tls.TLSSocket {
    const { chainPem: cert, keyPem: key } = this.#certificate(account);
    return tls.connect({
      host: "127.0.0.1",
      port: this.#ports.get(port) ?? 0,
      cert,
      key,
      ca: readFileSync(this.#at("root.pem")),
      ALPNProtocols: [...alpn],
      checkServerIdentity: () => undefined,
    });
  }

  /** Sends raw bytes in plaintext; returns what came back first. */
  raw(port: number, bytes: string): Promise<string> {
    return new Promise((resolve) => {
      let received = "";
      const socket = net.connect(this.#ports.get(port) ?? 0, "127.0.0.1", () => socket.write(bytes));
      socket.on("data", (data) => {
        received += data.toString();
        socket.end();
      });
      socket.on("error", () => resolve(received));
      socket.on("close", () => resolve(received));
    });
  }

  /** What the access log holds so far. */
  accessLog(): string {
    return readFileSync(this.#at("access"), "utf8");
  }

  async stop(): Promise<void> {
    await this.#envoy?.stop();
    this.#application.close();
    this.#application.closeAllConnections();
  }

  #certificate(account: string): IssuedCertificate {
    let certificate = this.#certificates.get(account);
    if (certificate === undefined) {
      const opened = openAuthority({
        directory: this.#at("ca"),
        trustDomain: "cluster.local",
        clock: { nowMs: () => Date.now() },
      });
      if (opened.kind === "failed") throw new Error(opened.message);
      writeFileSync(this.#at("root.pem"), opened.authority.rootPem);
      this.#certificates.set(
        account,
        (certificate = opened.authority.issueWorkloadCertificate(spiffeId("cluster.local", "default", account))),
      );
    }
    return certificate;
  }

  #writeSecrets(): void {
    const { chainPem, keyPem } = this.#certificate("reviews");
    const secret = { "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret" };
    const write = (name: string, content: object) =>
      writeFileSync(this.#at(`sds-${name}`), JSON.stringify({ resources: [{ ...secret, name, ...content }] }));
    write("default", {
      tls_certificate: { certificate_chain: { inline_string: chainPem }, private_key: { inline_string: keyPem } },
    });
    write("ROOTCA", { validation_context: { trusted_ca: { filename: this.#at("root.pem") } } });
  }

  /** Writes the filters' configurations, each by a rename, which Envoy watches for. */
  #deliver(yaml: string): readonly PlacedInboundPort[] {
    const { world, violations } = loadText(yaml);
    const errors = violations.filter((violation) => violation.severity === "error");
    if (errors.length > 0)
      throw new Error(
        errors.map((violation) => `${violation.object} ${violation.field}: ${violation.message}`).join("\n"),
      );
    const modules: PluginModules = {
      builtin: builtinModule,
      plugin: () => ({ kind: "pending" }),
      differsByProxy: () => false,
    };
    const proxy = this.#proxy();
    const inbound = placeInbound(resolveInbound(createInputs(world, modules), proxy.class), proxy);
    const filters = new Map(
      inbound
        .flatMap((port) => [
          ...wasmFiltersOf({ direction: "inbound", filters: port.filters }),
          ...(port.tcpTelemetry ? [port.tcpTelemetry] : []),
        ])
        .map((filter) => [filter.name, filter]),
    );
    for (const [name, filter] of filters) {
      const extension = toProto3Json("TypedExtensionConfig", buildWasmExtension(filter));
      writeFileSync(
        this.#at("new"),
        JSON.stringify({
          resources: [
            { "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig", ...(extension as object) },
          ],
        }),
      );
      renameSync(this.#at("new"), this.#at(`ecds-${name}`));
    }
    return inbound;
  }

  #proxy(): MeshProxy {
    const application = { address: "127.0.0.1", port: (this.#application.address() as AddressInfo).port };
    const listens = [...this.#ports].map(([port, bound]) => ({
      port,
      name: "",
      bind: { address: "127.0.0.1", port: bound },
      application,
    }));
    return {
      class: {
        kind: "sidecar",
        namespace: "default",
        workload: "reviews-v1",
        serviceAccount: "reviews",
        labels: { app: "reviews" },
        ports: classPorts(listens),
        goesOut: false,
      },
      address: "127.0.0.1",
      listens,
    };
  }

  #bootstrap(inbound: readonly PlacedInboundPort[]): object {
    const settings = {
      trustDomains: "cluster.local",
      accessLog: { path: this.#at("access"), encoding: "TEXT" as const },
    };
    const resources = {
      node: {
        id: "sidecar~127.0.0.1~reviews.default~default.svc.cluster.local",
        cluster: "reviews",
        metadata: { NAME: "reviews", NAMESPACE: "default", WORKLOAD_NAME: "reviews-v1" },
      },
      layeredRuntime: { layers: [{ name: "static", staticLayer: { "re2.max_program_size.error_level": 32_768 } }] },
      staticResources: {
        listeners: inbound.map((port) =>
          toProto3Json(
            "Listener",
            buildInboundListener(port, {
              ...settings,
              detectionTimeoutMs: 1_000,
              requestForm: this.#forms.get(port.port) ?? asInIstio,
            }),
          ),
        ),
        clusters: inbound.map((port) => toProto3Json("Cluster", buildInboundCluster(port))),
      },
    };
    return JSON.parse(JSON.stringify(resources), (_, value: unknown) => this.#fromFile(value)) as object;
  }

  /** What comes over ADS in the mesh comes from a file here. */
  #fromFile(value: unknown): unknown {
    if (typeof value !== "object" || value === null || !("name" in value)) return value;
    const source = (file: string) => ({ resourceApiVersion: "V3", pathConfigSource: { path: this.#at(file) } });
    if ("sdsConfig" in value) return { ...value, sdsConfig: source(`sds-${String(value.name)}`) };
    if ("configDiscovery" in value)
      return {
        ...value,
        configDiscovery: { ...(value.configDiscovery as object), configSource: source(`ecds-${String(value.name)}`) },
      };
    return value;
  }
}

function builtinModule(name: BuiltinFilter): { sha256: string; bytes: Uint8Array } {
  return { sha256: name, bytes: readFileSync(new URL(`../../filters/build/${name}.wasm`, import.meta.url)) };
}
