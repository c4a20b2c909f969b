import { generateKeyPairSync, X509Certificate } from "node:crypto";
import https from "node:https";
import net from "node:net";
import tls from "node:tls";
import { afterEach, describe, expect, it } from "vitest";
import type { Issuer } from "../ca/authority-stage.ts";
import { newSigner, signCertificate } from "../ca/x509.ts";
import type { ApiCall, ApiClient } from "../kubernetes/api-client.ts";
import { loadText } from "../store/load.ts";
import { createCell } from "../stages/cell.ts";
import { createSystemClock } from "../telemetry/clock.ts";
import { createLogger } from "../telemetry/logger.ts";
import { caBundlePatch, writeCaBundles } from "./ca-bundles.ts";
import { injectorConfiguration, validatorConfiguration } from "./configurations.ts";
import { createWebhookServer } from "./server.ts";
import { createWebhookStage } from "./webhook-stage.ts";

/** An authority of its own each time. */
function testIssuer(): Issuer {
  const keys = () => generateKeyPairSync("ec", { namedCurve: "P-256" });
  const root = keys();
  const times = { notBeforeMs: Date.now() - 1_000, notAfterMs: Date.now() + 3_600_000 };
  const nobody = { uris: [], dnsNames: [], ipAddresses: [] };
  const signer = newSigner("root", root.publicKey, root.privateKey);
  const rootPem = signCertificate(
    { ...nobody, ...times, publicKey: root.publicKey, commonName: "root", isAuthority: true },
    signer,
  );
  return {
    rootPem,
    secretsFor: () => [],
    issueServerCertificate() {
      const { publicKey, privateKey } = keys();
      const names = { ...nobody, dnsNames: ["istiod.istio-system.svc"], commonName: undefined };
      const certificate = signCertificate({ ...names, ...times, publicKey, isAuthority: false }, signer);
      return { certificate, key: privateKey.export({ type: "pkcs8", format: "pem" }) as string };
    },
  } as unknown as Issuer;
}

/** An API server with a ConfigMap of values and webhook configurations. */
function testClient(
  values: object,
  configurations: readonly object[] = [],
  minor = "37",
): ApiClient & { readonly calls: ApiCall[] } {
  const calls: ApiCall[] = [];
  const items = [
    {
      metadata: { name: "istio-sidecar-injector", uid: "u", resourceVersion: "1" },
      data: { values: JSON.stringify(values) },
    },
  ];
  const answer = (body: unknown) => Promise.resolve({ kind: "answer", status: 200, body } as const);
  return {
    calls,
    namespace: "istio-system",
    request(call) {
      calls.push(call);
      if (call.path === "/version") return answer({ major: "1", minor });
      const kind = call.path.includes("mutating") ? "MutatingWebhookConfiguration" : "ValidatingWebhookConfiguration";
      return answer({
        kind: `${kind}List`,
        items: configurations.filter((one) => (one as { kind: string }).kind === kind),
      });
    },
    watch(_path, _query, onEvent, signal) {
      for (const object of items) onEvent({ type: "ADDED", object });
      const annotations = { "k8s.io/initial-events-end": "true" };
      onEvent({ type: "BOOKMARK", object: { metadata: { resourceVersion: "1", annotations } } });
      return new Promise((resolve) => signal.addEventListener("abort", () => resolve({ kind: "closed" })));
    },
    close: () => undefined,
  };
}

const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "web" }, spec: { containers: [{ name: "web" }] } };
const review = (object: unknown) =>
  JSON.stringify({
    ...{ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview" },
    request: { uid: "u", operation: "CREATE", namespace: "shop", object },
  });

interface Answered {
  readonly status: number;
  readonly body: string;
}

function post(port: number, path: string, body: string, ca: string, headers = {}): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const request = https.request(
      {
        ...{ host: "127.0.0.1", port, path, method: "POST", ca, servername: "istiod.istio-system.svc", agent: false },
        headers: { "content-type": "application/json", ...headers },
      },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => (text += part));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body: text }));
      },
    );
    request.on("error", reject).end(body);
  });
}

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function startStage(values: object, minor?: string) {
  const issuer = createCell<Issuer | undefined>(testIssuer());
  const port = await freePort();
  const ending = new AbortController();
  const stage = createWebhookStage(
    { address: { address: "127.0.0.1", port }, namespace: "istio-system", revision: "default", version: "1.0.0" },
    {
      client: testClient(values, [], minor),
      clock: createSystemClock(),
      logger: createLogger("silent"),
      random: Math.random,
    },
    { world: createCell(loadText("").world), issuer },
  );
  await stage.start?.(ending.signal);
  closers.push(async () => {
    ending.abort();
    await stage.stop?.();
  });
  return { port, issuer };
}

describe("the webhooks' server", () => {
  it("injects with the values that were installed, and judges objects", async () => {
    const { port, issuer } = await startStage({ global: { hub: "registry.example", tag: "9" } });
    const { rootPem } = issuer.read()!;
    const { body } = await post(port, "/inject?timeout=10s", review(pod), rootPem);
    const { response } = JSON.parse(body) as { response: { allowed: boolean; patch: string } };
    expect(response.allowed).toBe(true);
    expect(Buffer.from(response.patch, "base64").toString()).toContain("registry.example/proxy:9");
    const wrong = {
      apiVersion: "networking.istio.io/v1",
      kind: "Gateway",
      metadata: { name: "g" },
      spec: { servers: 1 },
    };
    const judged = await post(port, "/validate", review(wrong), rootPem);
    expect(JSON.parse(judged.body)).toMatchObject({
      response: { allowed: false, status: { message: /spec\.servers/ } },
    });
  });

  it.each([
    ["28+", false, false],
    ["29", true, false],
    ["30", true, true],
  ])("asks no server for what its version does not have: 1.%s", async (minor, isNative, sleeps) => {
    const { port, issuer } = await startStage({}, minor);
    const patchOf = async (metadata: object) => {
      const { body } = await post(port, "/inject", review({ ...pod, metadata }), issuer.read()!.rootPem);
      const { response } = JSON.parse(body) as { response: { patch: string } };
      return Buffer.from(response.patch, "base64").toString();
    };
    expect((await patchOf({ name: "web" })).includes('"restartPolicy":"Always"')).toBe(isNative);
    const annotations = { "inject.istio.io/templates": "gateway" };
    expect((await patchOf({ name: "edge", annotations })).includes('"preStop":{"sleep":')).toBe(sleeps);
  });

  it("has a certificate of the authority's, and another when another signs", async () => {
    const { port, issuer } = await startStage({});
    const before = issuer.read()!.rootPem;
    issuer.set(testIssuer());
    await expect(post(port, "/inject", review(pod), before)).rejects.toThrow();
    expect((await post(port, "/inject", review(pod), issuer.read()!.rootPem)).status).toBe(200);
  });

  it.each([
    ["/nowhere", "", {}, 404],
    ["/inject", "{}", {}, 400],
    ["/inject", "x", { "content-type": "text/plain" }, 415],
    ["/inject", "x".repeat(7 * 1_024 * 1_024), {}, 413],
  ])("answers %s only as it should be asked", async (path, body, headers, status) => {
    const { port, issuer } = await startStage({});
    const answered = post(port, path, body, issuer.read()!.rootPem, headers);
    // Who goes on writing what nobody reads may be cut off before it hears why.
    expect(await answered.then((said) => said.status).catch(() => 413)).toBe(status);
  });

  it("speaks neither plaintext nor old TLS", async () => {
    const { port, issuer } = await startStage({});
    const plain = await new Promise<string>((resolve) => {
      let text = "";
      const socket = net.connect(port, "127.0.0.1", () => socket.write("POST /inject HTTP/1.1\r\nhost: x\r\n\r\n"));
      socket.on("data", (data) => (text += String(data))).on("error", () => undefined);
      socket.on("close", () => resolve(text));
    });
    expect(plain).not.toContain("200");
    const old = new Promise((resolve, reject) => {
      const options = { port, host: "127.0.0.1", ca: issuer.read()!.rootPem, servername: "istiod.istio-system.svc" };
      const socket = tls.connect({ ...options, maxVersion: "TLSv1.1", minVersion: "TLSv1" }, () => resolve(socket));
      socket.on("error", reject);
    });
    await expect(old).rejects.toThrow();
  });

  it("refuses what it fails to look at", async () => {
    const issuer = testIssuer();
    const failures: unknown[] = [];
    const server = createWebhookServer({
      address: { address: "127.0.0.1", port: 0 },
      answers: {
        "/inject": () => {
          throw new RangeError("a bug");
        },
      },
      failed: (error) => failures.push(error),
    });
    const { port } = await server.start(issuer.issueServerCertificate());
    closers.push(() => server.stop());
    const { body } = await post(port, "/inject", review(pod), issuer.rootPem);
    expect(JSON.parse(body)).toMatchObject({ response: { allowed: false } });
    expect(failures).toHaveLength(1);
  });
});

describe("the root in webhook configurations", () => {
  const service = { revision: "", namespace: "istio-system" };
  const named = (configuration: object) => ({
    ...(configuration as { metadata: object }),
    metadata: { ...(configuration as { metadata: object }).metadata, resourceVersion: "7" },
  });
  const ours = named(injectorConfiguration(service));
  const canary = named(injectorConfiguration({ ...service, revision: "canary" }));
  const validator = named(validatorConfiguration(service));
  const { rootPem } = testIssuer();

  it("is written into each webhook that leads here, and nowhere else", async () => {
    const client = testClient({}, [ours, canary, validator]);
    expect(await writeCaBundles(client, service, rootPem)).toEqual([]);
    const patches = client.calls.filter(({ method }) => method === "PATCH");
    expect(patches.map(({ path }) => path.split("/").at(-1))).toEqual([
      "istio-sidecar-injector",
      "istio-validator-istio-system",
    ]);
    const [, first] = (patches[0]!.body ?? []) as { op: string; path: string; value: string }[];
    expect(first).toMatchObject({ op: "add", path: "/webhooks/0/clientConfig/caBundle" });
    expect(new X509Certificate(Buffer.from(first?.value ?? "", "base64")).subject).toBe("CN=root");
    expect(JSON.stringify(patches[1]?.body)).toContain('"value":"Fail"');
  });

  it("is not written again, until somebody takes it away", () => {
    const written = JSON.parse(JSON.stringify(ours)) as { webhooks: { clientConfig: { caBundle?: string } }[] };
    for (const { clientConfig } of written.webhooks) clientConfig.caBundle = Buffer.from(rootPem).toString("base64");
    const configuration = written as unknown as Readonly<Record<string, unknown>>;
    expect(caBundlePatch(configuration, service, rootPem)).toEqual([]);
    delete written.webhooks[2]?.clientConfig.caBundle;
    expect(caBundlePatch(configuration, service, rootPem).map(({ path }) => path)).toEqual([
      "/metadata/resourceVersion",
      "/webhooks/2/clientConfig/caBundle",
    ]);
  });
});
