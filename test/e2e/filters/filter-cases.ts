// What the four filters must do on a real Envoy, whichever modules they come in.
import { createServer, type IncomingHttpHeaders, request, type Server } from "node:http";
import { request as secureRequest } from "node:https";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
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

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Sent {
  readonly port: number;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly identity?: string;
}

/** Registers the tests, for an Envoy of their own. */
export function describeFilters(modules: FilterModules): void {
  let envoy: FiltersEnvoy;
  let backend: Server;
  const clientIdentities = new Map<string, { certificate: string; key: string }>();

  function send({ port, path = "/", method = "GET", headers = {}, identity }: Sent): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const options = { host: "127.0.0.1", port, path, method, headers, agent: false as const };
      let tls = {};
      if (identity) {
        const pair = clientIdentities.get(identity) ?? envoy.identities.of(identity);
        clientIdentities.set(identity, pair);
        tls = {
          cert: pair.certificate,
          key: pair.key,
          ca: envoy.identities.rootPem,
          checkServerIdentity: () => undefined,
        };
      }
      const sent = (identity ? secureRequest : request)({ ...options, ...tls }, (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (part: string) => (body += part));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
      });
      sent.on("error", reject);
      sent.end();
    });
  }

  async function until<T>(read: () => T | undefined | Promise<T | undefined>, what: string): Promise<T> {
    for (let i = 0; i < 300; i++) {
      const value = await read();
      if (value !== undefined) return value;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`waited in vain for ${what}`);
  }

  const details = (name: string): Promise<string> =>
    until(
      () =>
        envoy
          .accessLog()
          .find((line) => line.split(" ")[1] === name)
          ?.split(" ")
          .slice(2)
          .join(" "),
      `the access log of ${name}`,
    );

  /** Labels of the samples of a metric, with their values. */
  async function samples(metric: string): Promise<Array<Record<string, string>>> {
    const page = await envoy.prometheus();
    return page
      .split("\n")
      .filter((line) => line.startsWith(`${metric}{`))
      .map((line) => {
        const labels = Object.fromEntries(
          [...line.matchAll(/([a-z_]+)="([^"]*)"/g)].map((match) => [match[1], match[2]]),
        );
        return { ...labels, value: line.slice(line.lastIndexOf(" ") + 1) } as Record<string, string>;
      });
  }

  beforeAll(async () => {
    backend = createServer((incoming, response) =>
      response.end(JSON.stringify({ path: incoming.url, headers: incoming.headers })),
    );
    await new Promise<void>((resolve) => backend.listen(0, "127.0.0.1", resolve));
    const address = backend.address();
    envoy = await startFiltersEnvoy({
      modules,
      policies: POLICIES,
      limits: LIMITS,
      rules: RULES,
      v2Keys: ["0.0", "0.1", "0.2"],
      backendPort: typeof address === "object" && address ? address.port : 0,
    });
  });

  afterAll(async () => {
    await envoy?.stop();
    backend?.closeAllConnections();
    backend?.close();
  });

  describe("authz on Envoy", () => {
    it.each<[string, Omit<Sent, "port">, number, string]>([
      ["plain-none", { path: "/" }, 403, "403 rbac_access_denied_matched_policy[none],not_allowed_by[default/allow]"],
      ["plain-public", { path: "/public/a" }, 200, "200 via_upstream"],
      [
        "plain-public-deep",
        { path: "/public/a/b" },
        403,
        "403 rbac_access_denied_matched_policy[none],not_allowed_by[default/allow]",
      ],
      ["mtls-get", { path: "/", identity: "productpage" }, 200, "200 via_upstream"],
      [
        "mtls-post",
        { path: "/", method: "POST", identity: "productpage" },
        403,
        "403 rbac_access_denied_matched_policy[none],not_allowed_by[default/allow]",
      ],
      [
        "mtls-other",
        { path: "/", identity: "stranger" },
        403,
        "403 rbac_access_denied_matched_policy[none],not_allowed_by[default/allow]",
      ],
      ["mtls-namespace", { path: "/", method: "PUT", identity: "stranger" }, 200, "200 via_upstream"],
      [
        "admin",
        { path: "/admin", identity: "productpage" },
        403,
        "403 rbac_access_denied_matched_policy[default/deny-admin[0]]",
      ],
      [
        "admin-slashes",
        { path: "//admin", identity: "productpage" },
        403,
        "403 rbac_access_denied_matched_policy[default/deny-admin[0]]",
      ],
      [
        "admin-escaped",
        { path: "/%2Fadmin", identity: "productpage" },
        403,
        "403 rbac_access_denied_matched_policy[default/deny-admin[0]]",
      ],
      [
        "admin-backslash",
        { path: "/%5cadmin", identity: "productpage" },
        403,
        "403 rbac_access_denied_matched_policy[default/deny-admin[0]]",
      ],
      [
        "admin-dots",
        { path: "/x/../admin?x", identity: "productpage" },
        403,
        "403 rbac_access_denied_matched_policy[default/deny-admin[0]]",
      ],
      [
        "role",
        { headers: { "x-role": "banned" }, identity: "productpage" },
        403,
        "403 rbac_access_denied_matched_policy[default/deny-admin[1]]",
      ],
      [
        "role-second",
        { headers: { "x-role": ["user", "banned"] }, identity: "productpage" },
        403,
        "403 rbac_access_denied_matched_policy[default/deny-admin[1]]",
      ],
      [
        "role-joined",
        { headers: { "x-role": "banned, user" }, identity: "productpage" },
        403,
        "403 rbac_access_denied_matched_policy[default/deny-admin[1]]",
      ],
      ["role-other", { headers: { "x-role": "banned2" }, identity: "productpage" }, 200, "200 via_upstream"],
      [
        "host",
        { headers: { host: "SECRET.test:8080" }, identity: "productpage" },
        403,
        "403 rbac_access_denied_matched_policy[default/deny-host[0]]",
      ],
      ["forwarded", { headers: { "x-forwarded-for": "10.1.1.1" }, identity: "productpage" }, 200, "200 via_upstream"],
    ])("%s", async (name, sent, status, line) => {
      const answer = await send({ port: envoy.ports.mesh, ...sent, headers: { ...sent.headers, "x-case": name } });
      expect(answer.status).toBe(status);
      if (status === 403) expect(answer.body).toBe("RBAC: access denied");
      expect(await details(name)).toBe(line);
    });

    it("says at debug level what decided", async () => {
      await until(
        () =>
          envoy.log().includes("authz: denied by default/deny-admin[0]") &&
          envoy.log().includes("authz: allowed by default/allow[0]")
            ? true
            : undefined,
        "the decisions' lines",
      );
    });
  });

  describe("ratelimit on Envoy", () => {
    const burst = async (path: string, count: number, headers: Record<string, string> = {}): Promise<Answer[]> => {
      const answers: Answer[] = [];
      let left = count;
      await Promise.all(
        Array.from({ length: 32 }, async () => {
          while (left-- > 0) answers.push(await send({ port: envoy.ports.limited, path, headers }));
        }),
      );
      return answers;
    };
    const admitted = (answers: Answer[]): number => answers.filter(({ status }) => status === 200).length;

    it("admits exactly the limit over both workers, and tells when to come back", async () => {
      const answers = await burst("/all", 400);
      expect(admitted(answers)).toBe(50);
      const refused = answers.find(({ status }) => status === 429) as Answer;
      expect(Number(refused.headers["retry-after"])).toBeGreaterThanOrEqual(1);
      expect(refused.headers["ratelimit-policy"]).toBe('"default/shared/all";q=50;w=600');
      expect(refused.headers["ratelimit"]).toMatch(/^"default\/shared\/all";r=0;t=\d+$/);
      expect(refused.headers["x-envoy-ratelimited"]).toBe("true");
      const admittedOne = answers.find(({ status }) => status === 200) as Answer;
      expect(admittedOne.headers["ratelimit"]).toMatch(/^"default\/shared\/all";r=\d+;t=\d+$/);
      await send({ port: envoy.ports.limited, path: "/all", headers: { "x-case": "limited" } });
      expect(await details("limited")).toBe("429 scrim_rate_limited[default/shared/all]");
    });

    it("keeps a bucket per key", async () => {
      expect(admitted(await burst("/user", 100, { "x-user": "a" }))).toBe(5);
      expect(admitted(await burst("/user", 100, { "x-user": "b" }))).toBe(5);
    });

    it("neither over-admits nor wastes tokens when workers lease", async () => {
      const before = performance.now();
      const count = admitted(await burst("/large", 3000));
      const regained = ((performance.now() - before) / 1000) * 2000; // the limit regains 2,000 a second
      expect(count).toBeLessThanOrEqual(1000 + regained);
      expect(count).toBeGreaterThanOrEqual(1000);
    });
  });

  describe("router on Envoy", () => {
    const version = async (headers: Record<string, string>, path = "/"): Promise<string> => {
      const before = await counts();
      const answer = await send({ port: envoy.ports.outbound, path, headers: { host: "reviews", ...headers } });
      if (answer.status !== 200) return String(answer.status);
      return until(async () => {
        const after = await counts();
        return Object.keys(after).find((key) => after[key] !== (before[key] ?? 0));
      }, "the chosen subset");
    };
    const counts = async (): Promise<Record<string, number>> => {
      const out: Record<string, number> = {};
      for (const sample of await samples("istio_requests_total"))
        if (sample["reporter"] === "source")
          out[sample["destination_version"] ?? ""] =
            (out[sample["destination_version"] ?? ""] ?? 0) + Number(sample["value"]);
      return out;
    };

    it("chooses by header, cookie and query, first match first", async () => {
      expect(await version({})).toBe("v1");
      expect(await version({ "end-user": "jason" })).toBe("v2");
      expect(await version({ "end-user": "jasonx" })).toBe("v1");
      expect(await version({ cookie: "a=b; tier=gold" })).toBe("v2");
      expect(await version({}, "/v2/x?q=1")).toBe("v2");
      expect(await version({ "x-stay": "yes" }, "/v2/x?q=1")).toBe("v1");
      expect(await version({}, "/v2/x?q=2")).toBe("v1");
    });

    it("cannot be told the choice by a client, and no match is no route", async () => {
      expect(
        await version({
          "scrim.route": "0.0",
          "x-scrim-route": "0.0",
          "wasm.scrim.route": "0.0",
          "x-envoy-scrim-route": "0.0",
        }),
      ).toBe("v1");
      expect(await version({ "x-lost": "" })).toBe("404");
      await until(
        async () =>
          (await samples("istio_requests_total")).find(
            (one) => one["response_code"] === "404" && one["response_flags"] === "NR",
          ),
        "the flag of a request without a route",
      );
    });
  });

  describe("telemetry on Envoy", () => {
    it("counts on both sides with Istio's labels", async () => {
      await send({ port: envoy.ports.outbound, headers: { host: "reviews", "end-user": "jason" } });
      const common = {
        source_workload: "productpage-v1",
        source_workload_namespace: "default",
        source_app: "productpage",
        source_version: "v1",
        source_canonical_service: "productpage",
        source_canonical_revision: "v1",
        source_cluster: "Kubernetes",
        source_principal: "spiffe://cluster.local/ns/default/sa/productpage",
        destination_principal: "spiffe://cluster.local/ns/default/sa/reviews",
        destination_service: "reviews.default.svc.cluster.local",
        destination_service_name: "reviews",
        destination_service_namespace: "default",
        request_protocol: "http",
        response_code: "200",
        response_flags: "-",
        grpc_response_status: "",
      };
      const source = await until(
        async () =>
          (await samples("istio_requests_total")).find(
            (one) => one["reporter"] === "source" && one["destination_version"] === "v2",
          ),
        "the source's sample",
      );
      expect(source).toMatchObject({
        ...common,
        reporter: "source",
        connection_security_policy: "unknown",
        destination_workload: "reviews-v2",
        destination_workload_namespace: "default",
        destination_app: "reviews",
        destination_canonical_service: "reviews",
        destination_canonical_revision: "v2",
        destination_cluster: "Kubernetes",
      });
      const destination = await until(
        async () =>
          (await samples("istio_requests_total")).find(
            (one) =>
              one["reporter"] === "destination" &&
              one["response_code"] === "200" &&
              one["source_workload"] === "productpage-v1",
          ),
        "the destination's sample",
      );
      expect(destination).toMatchObject({
        ...common,
        reporter: "destination",
        connection_security_policy: "mutual_tls",
        destination_workload: "productpage-v1",
      });
    });

    it("has the histograms, and nothing but Istio's names and labels", async () => {
      const page = await envoy.prometheus();
      expect(page).toContain("# TYPE istio_requests_total counter");
      for (const name of ["istio_request_duration_milliseconds", "istio_request_bytes", "istio_response_bytes"]) {
        expect(page).toContain(`# TYPE ${name} histogram`);
        expect((await samples(`${name}_count`)).length).toBeGreaterThan(0);
      }
      // Envoy shows a histogram's samples once its flush interval has passed.
      await until(
        async () =>
          (await samples("istio_response_bytes_sum")).find(
            (one) => one["reporter"] === "source" && Number(one["value"]) > 100,
          ),
        "the bytes of responses",
      );
      expect(page.split("\n").filter((line) => line.includes("istio_") && line.includes(";"))).toEqual([]);
    });

    it("counts what authz refused, and does not believe metadata from plaintext", async () => {
      const forged = Buffer.from("garbage").toString("base64");
      const answer = await send({
        port: envoy.ports.mesh,
        path: "/public/x",
        headers: { "x-envoy-peer-metadata": forged, "x-envoy-peer-metadata-id": "sidecar~x" },
      });
      expect(answer.status).toBe(200);
      const seen = (JSON.parse(answer.body) as { headers: IncomingHttpHeaders }).headers;
      expect(Object.keys(seen).filter((name) => name.startsWith("x-envoy-peer"))).toEqual([]);
      await send({ port: envoy.ports.mesh, path: "/admin" });
      const refused = await until(
        async () =>
          (await samples("istio_requests_total")).find(
            (one) => one["response_code"] === "403" && one["connection_security_policy"] === "none",
          ),
        "the refused request's sample",
      );
      expect(refused).toMatchObject({
        source_workload: "unknown",
        source_principal: "unknown",
        destination_service_name: "reviews",
      });
    });

    it("knows peer and service of a request that authz refused", async () => {
      expect((await send({ port: envoy.ports.outbound, path: "/admin", headers: { host: "reviews" } })).status).toBe(
        403,
      );
      const refused = await until(
        async () =>
          (await samples("istio_requests_total")).find(
            (one) =>
              one["reporter"] === "destination" &&
              one["response_code"] === "403" &&
              one["source_workload"] === "productpage-v1",
          ),
        "the refused peer's sample",
      );
      expect(refused).toMatchObject({
        connection_security_policy: "mutual_tls",
        destination_service: "reviews.default.svc.cluster.local",
        destination_service_name: "reviews",
      });
    });

    it("sends peer metadata into the mesh only", async () => {
      const inside = await send({ port: envoy.ports.outbound, headers: { host: "reviews" } });
      expect(
        Object.keys((JSON.parse(inside.body) as { headers: IncomingHttpHeaders }).headers).filter((name) =>
          name.startsWith("x-envoy-peer"),
        ),
      ).toEqual([]);
      const outside = await send({
        port: envoy.ports.outbound,
        headers: { host: "outside.test", "x-envoy-peer-metadata": "forged", "x-envoy-peer-metadata-id": "me" },
      });
      expect(
        Object.keys((JSON.parse(outside.body) as { headers: IncomingHttpHeaders }).headers).filter((name) =>
          name.startsWith("x-envoy-peer"),
        ),
      ).toEqual([]);
    });
  });
}
