// What travels is the user's choice; what policies refuse is not. Every form of requests, both engines, one Envoy each.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RequestForm } from "../../../controlplane/model/request-form.ts";
import { InboundEnvoy } from "../../support/inbound-envoy.ts";

const normalizations = ["NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"] as const;
const forms = new Map<number, RequestForm>([
  ...normalizations.map(
    (pathNormalization, index) => [9080 + index, { pathNormalization, headersWithUnderscoresAction: "ALLOW" }] as const,
  ),
  [9084, { pathNormalization: "BASE", headersWithUnderscoresAction: "DROP_HEADER" }],
  [9085, { pathNormalization: "BASE", headersWithUnderscoresAction: "REJECT_REQUEST" }],
]);
const BASE = 9081;

const mesh = (engine: string): string => `
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: "engine: ${engine}"}
---
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec:
  selector: {app: reviews}
  ports: [${[...forms.keys()].map((port) => `{name: http-${port}, port: ${port}}`).join(", ")}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: keep-out}
spec:
  action: DENY
  rules:
  - {to: [{operation: {paths: ["/admin", "/admin/*", "/a:b", "/q/%2F/secret"]}}]}
  - {to: [{operation: {hosts: [secret.example.com]}}]}
  - {when: [{key: "request.headers[x-role]", values: [guest]}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: let-in}
spec:
  rules:
  - {to: [{operation: {paths: ["/public/*", "/t/{*}", "/api/*", "/bucket/*", "/npm/*", "/win%5Cpath"]}}]}
  - {when: [{key: "request.headers[x-role]", values: [admin]}]}
---
apiVersion: policy.scrim.mesh/v1alpha1
kind: RateLimitPolicy
metadata: {name: few}
spec:
  limits: [{name: few, requests: 3, per: 24h, match: {paths: [/api/limited]}}]
`;

/** Let in by a role, so that only a DENY may stand against them. */
const keptOut = [
  "/admin",
  "//admin",
  "///admin",
  "/%2Fadmin",
  "/%5cadmin",
  "/\\admin",
  "/x/../admin",
  "/x/..%2fadmin",
  "/x/..%5Cadmin",
  "/x/%2e%2e%2fadmin",
  "/x/%2e%2e/admin",
  "/admin//../admin",
  "/admin/x//../y",
  "/./admin",
  "/%61dmin",
  "/admin?x",
  "/admin#x",
  "/admin%23x",
  "/admin%3fx",
  "/admin;x",
  "/admin%00",
  "/admin%20",
  "/admin/",
  "/admin%2f",
  "/x/..;/admin",
  "/a%3ab",
  "http://reviews//%61dmin",
];

/** What is named with an encoded slash, while there are any. */
const keptOutEncoded = ["/q/%2F/secret", "/q/%2f/secret", "/q/%2F%2fsecret"];

/**
 * Envoy goes on with `/x/admin` where it normalizes; where it does not, nobody knows what an application makes of it.
 */
const keptOutAsItIs = "/x//../admin";

/** Nothing but an ALLOW could let them in. */
const notLetIn = [
  "/secret",
  "/public/../secret",
  "/public/..%2fsecret",
  "/public/%2e%2e%2fsecret",
  "/public/%2e%2e;/secret",
  "/public\\..\\secret",
  "/public/..\\secret",
  "/public%2f..%2f..%2fsecret",
  "/public//..%2f..%2fsecret",
  "/t/x%2fy",
  "/t/x%5cy",
];

describe.each(["wasm", "native"])("engine %s", (engine) => {
  let envoy: InboundEnvoy;
  beforeAll(async () => void (envoy = await InboundEnvoy.start(mesh(engine), [...forms.keys()], forms)));
  afterAll(() => envoy?.stop());
  const send = (port: number, path: string, ...headers: readonly string[]): Promise<string> =>
    envoy.raw(
      port,
      `GET ${path} HTTP/1.1\r\nHost: reviews\r\n${headers.map((line) => `${line}\r\n`).join("")}connection: close\r\n\r\n`,
    );
  const status = async (...request: Parameters<typeof send>): Promise<number> =>
    Number(/^HTTP\/1.1 (\d+)/.exec(await send(...request))?.[1] ?? 0);
  const pathSeen = async (port: number, path: string): Promise<unknown> =>
    /"path":"((?:[^"\\]|\\.)*)"/.exec(await send(port, path, "x-role: admin"))?.[1];

  it.each([...forms].map(([port, form]) => [form.pathNormalization, form.headersWithUnderscoresAction, port] as const))(
    "%s, headers %s: no spelling gets past a policy",
    async (_paths, _headers, port) => {
      for (const path of keptOut)
        expect([400, 403, 404, 307], `kept out ${path}`).toContain(await status(port, path, "x-role: admin"));
      if (forms.get(port)?.pathNormalization !== "DECODE_AND_MERGE_SLASHES")
        for (const path of keptOutEncoded) expect(await status(port, path, "x-role: admin"), path).toBe(403);
      if (forms.get(port)?.pathNormalization === "NONE")
        expect(await status(port, keptOutAsItIs, "x-role: admin")).toBe(403);
      for (const path of notLetIn) expect([400, 403, 404], `not let in ${path}`).toContain(await status(port, path));
      for (const lines of [["x_role: admin"], ["x-role: admin", "x_role: guest"], ["x-role: user", "x_role: admin"]])
        if (forms.get(port)?.headersWithUnderscoresAction !== "DROP_HEADER" || lines[0] !== "x-role: admin")
          expect([400, 403], lines.join()).toContain(await status(port, "/secret", ...lines));
      expect(await status(port, "/other", "x-role: admin")).toBe(200);
      expect(await status(port, "/public/a", "x-role: guest")).toBe(403);
      expect(await status(port, "/public/a")).toBe(200);
    },
    30_000,
  );

  it.each([
    [
      "/api/queues/%2F/orders",
      ["/api/queues/%2F/orders", "/api/queues/%2F/orders", "/api/queues/%2F/orders", "/api/queues/orders"],
    ],
    ["/bucket//a//b", ["/bucket//a//b", "/bucket//a//b", "/bucket/a/b", "/bucket/a/b"]],
    ["/npm/@scope%2fname", ["/npm/@scope%2fname", "/npm/@scope%2fname", "/npm/@scope%2fname", "/npm/@scope/name"]],
    ["/win%5Cpath", ["/win%5Cpath", "/win%5Cpath", "/win%5Cpath", "/win/path"]],
    ["/x/./y/../z", ["/x/./y/../z", "/x/z", "/x/z", "/x/z"]],
  ])("%s travels as the settings say", async (path, seen) => {
    const found = await Promise.all(normalizations.map((_, index) => pathSeen(9080 + index, path)));
    expect(found).toEqual(seen);
  });

  it("lets in what a policy without wildcards names, as it travels", async () => {
    for (const path of ["/api/queues/%2F/orders", "/bucket//a//b", "/npm/@scope%2fname", "/win%5Cpath"])
      expect(await status(BASE, path), path).toBe(200);
  });

  it("takes no old request for another: HTTP/1.0 gets past no policy, and needs a host", async () => {
    const old = async (port: number, path: string, lines: string) =>
      Number(/^HTTP\/1.[01] (\d+)/.exec(await envoy.raw(port, `GET ${path} HTTP/1.0\r\n${lines}\r\n`))?.[1] ?? 0);
    for (const [port] of forms) {
      for (const path of keptOut)
        expect([400, 403, 404, 307], path).toContain(await old(port, path, "host: reviews\r\nx-role: admin\r\n"));
      for (const path of notLetIn) expect([400, 403, 404], path).toContain(await old(port, path, "host: reviews\r\n"));
      expect(await old(port, "/public/a", "host: reviews\r\n")).toBe(200);
      expect(await old(port, "/public/a", "")).toBe(400);
      expect(await old(port, "/public/a", "host: secret.example.com\r\n")).toBe(403);
    }
  }, 30_000);

  it("headers with underscores travel as the settings say", async () => {
    expect(await send(BASE, "/public/a", "x_api_key: s3cret")).toContain('"x_api_key":"s3cret"');
    expect(await send(9084, "/public/a", "x_api_key: s3cret")).not.toContain("s3cret");
    expect(await status(9085, "/public/a", "x_api_key: s3cret")).toBe(400);
  });

  it("counts every spelling of a path that is limited", async () => {
    const spellings = ["/api/limited", "/api//limited", "/api/limit%65d", "/api%2flimited", "/api/limited;x"];
    const codes: number[] = [];
    for (const path of spellings) codes.push(await status(BASE, path, "x-role: admin"));
    expect(codes).toEqual([200, 200, 200, 429, 429]);
  });
});
