// The stage of the four filters: an Envoy that runs them, a backend, and what a client sends and sees.
import { createServer, type IncomingHttpHeaders, request } from "node:http";
import { request as secureRequest } from "node:https";
import { listening } from "../../support/servers.ts";
import { until } from "../../support/until.ts";
import type { FilterModules } from "./filters-bootstrap.ts";
import { type FiltersEnvoy, startFiltersEnvoy } from "./filters-envoy.ts";

const POLICIES = [
  {
    name: "default/deny-admin",
    action: "DENY",
    rules: [{ to: [{ paths: ["/admin*"] }] }, { when: [{ key: "request.headers[x-role]", values: ["banned"] }] }],
  },
  { name: "default/deny-host", action: "DENY", rules: [{ to: [{ hosts: ["secret.test"] }] }] },
  { name: "default/deny-forwarded", action: "DENY", rules: [{ from: [{ ipBlocks: ["10.0.0.0/8"] }] }] },
  {
    name: "default/allow",
    action: "ALLOW",
    rules: [
      { from: [{ principals: ["cluster.local/ns/default/sa/productpage"] }], to: [{ methods: ["GET"] }] },
      { to: [{ paths: ["/public/{*}"] }] },
      { from: [{ namespaces: ["default"] }], to: [{ methods: ["PUT"] }] },
    ],
  },
];

const LIMITS = {
  limits: [
    { name: "default/shared/all", match: { paths: ["/all"] }, tokens: 50, intervalMs: 600_000 },
    {
      name: "default/shared/user",
      match: { paths: ["/user"] },
      key: [{ header: "x-user" }],
      tokens: 5,
      intervalMs: 600_000,
    },
    { name: "default/shared/large", match: { paths: ["/large"] }, tokens: 2000, intervalMs: 1000, burst: 1000 },
  ],
  headers: "draft",
};

const RULES = {
  routes: [
    { key: "0.0", inside: true, match: { headers: { "end-user": { exact: "jason" } } } },
    { key: "0.1", inside: true, match: { headers: { cookie: { regex: "^(.*?;\\s*)?(tier=gold)(;.*)?$" } } } },
    {
      key: "0.2",
      inside: true,
      match: {
        uri: { prefix: "/v2" },
        withoutHeaders: { "x-stay": { exact: "yes" } },
        queryParams: { q: { exact: "1" } },
      },
    },
    { key: "default", inside: true, match: { uri: { prefix: "/" }, withoutHeaders: { "x-lost": {} } } },
  ],
};

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Sent {
  readonly port: number;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly identity?: string;
}

/** What tests do with the filters. */
export interface FiltersStage {
  readonly envoy: FiltersEnvoy;
  /** Sends one request; `identity` shows that service account's certificate. */
  send(sent: Sent): Promise<Answer>;
  /** What the access log says of the request that had this as `x-case`. */
  details(name: string): Promise<string>;
  /** Labels of the samples of a metric, with their values. */
  samples(metric: string): Promise<readonly Readonly<Record<string, string>>[]>;
  stop(): Promise<void>;
}

/** Starts all; stop it in the end. */
export async function startFiltersStage(modules: FilterModules): Promise<FiltersStage> {
  const backend = createServer((incoming, response) =>
    response.end(JSON.stringify({ path: incoming.url, headers: incoming.headers })),
  );
  const envoy = await startFiltersEnvoy({
    modules,
    policies: POLICIES,
    limits: LIMITS,
    rules: RULES,
    v2Keys: ["0.0", "0.1", "0.2"],
    backendPort: await listening(backend),
  });
  return {
    envoy,
    send: (sent) => send(envoy, sent),
    async details(name) {
      const line = (): string[] | undefined =>
        envoy
          .accessLog()
          .map((one) => one.split(" "))
          .find(([, of]) => of === name);
      await until(() => line() !== undefined, `the access log of ${name}`);
      return line()!.slice(2).join(" ");
    },
    samples: async (metric) => samplesOf(await envoy.prometheus(), metric),
    async stop() {
      await envoy.stop();
      backend.closeAllConnections();
      backend.close();
    },
  };
}

function send(
  envoy: FiltersEnvoy,
  { port, path = "/", method = "GET", headers = {}, identity }: Sent,
): Promise<Answer> {
  const options = { host: "127.0.0.1", port, path, method, headers, agent: false as const };
  return new Promise((resolve, reject) => {
    const sent = (identity ? secureRequest : request)({ ...options, ...tlsOf(envoy, identity) }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (part: string) => (body += part));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    sent.on("error", reject);
    sent.end();
  });
}

function tlsOf({ identities }: FiltersEnvoy, identity: string | undefined): object {
  if (identity === undefined) return {};
  const { certificate: cert, key } = identities.of(identity);
  return { cert, key, ca: identities.rootPem, checkServerIdentity: () => undefined };
}

function samplesOf(page: string, metric: string): readonly Readonly<Record<string, string>>[] {
  return page
    .split("\n")
    .filter((line) => line.startsWith(`${metric}{`))
    .map((line) => {
      const labels = [...line.matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, name = "", value = ""]) => [name, value]);
      return { ...Object.fromEntries(labels), value: line.slice(line.lastIndexOf(" ") + 1) };
    });
}
