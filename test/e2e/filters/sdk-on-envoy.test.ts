import { createServer, type Server } from "node:http";
import { createHost, type Host, type HttpStream } from "proxy-wasm-host";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compileFilter } from "../../../filters/sdk/compile.mjs";
import { type ProbeEnvoy, startProbeEnvoy } from "./probe-envoy.ts";

// The probe filter reports what its host answers. Every case runs on a real Envoy and in the Wasm host, and the reports
// must be the same.

const METADATA = { "scrim.test": { text: "words", number: 7, flag: true, list: ["a", "b"] } };
const NODE = { id: "probe-node", cluster: "probe-cluster", metadata: { NAMESPACE: "default" } };
const CONFIGURATION = JSON.stringify({ cluster: "callee" });

let module: Uint8Array;
let envoy: ProbeEnvoy;
let callee: Server;
let calleeAnswer = "";

beforeAll(async () => {
  const built = await compileFilter({ entry: "filters/sdk/testing/probe/index.ts" });
  if (!built.ok) throw new Error(built.errors);
  module = built.binary;
  callee = createServer((request, response) => {
    request.resume().on("end", () => (calleeAnswer === "reset" ? response.destroy() : response.end(calleeAnswer)));
  });
  await new Promise<void>((resolve) => callee.listen(0, "127.0.0.1", resolve));
  const address = callee.address();
  envoy = await startProbeEnvoy({
    module,
    configuration: CONFIGURATION,
    calleePort: typeof address === "object" && address ? address.port : 0,
    metadata: METADATA,
    nodeMetadata: NODE.metadata,
  });
});

afterAll(async () => {
  await envoy?.stop();
  callee?.closeAllConnections();
  callee?.close();
});

function newHost(): Host {
  return createHost({
    module,
    configuration: CONFIGURATION,
    pluginName: "probe",
    rootId: "probe-root",
    vmId: "probe-vm",
    clusters: ["callee"],
    attributes: {
      xds: {
        node: NODE,
        listener_direction: 0,
        virtual_host_name: "all",
        virtual_host_metadata: { filter_metadata: METADATA },
      },
    },
  });
}

const HEADERS = { "user-agent": "probe", "x-forwarded-proto": "http" };

/** The last report of a phase, from Envoy's log or the host's. */
function lastReport(lines: readonly string[], phase: string): string[] {
  const line = lines.filter((one) => one.includes(`probe ${phase}: `)).at(-1) ?? "";
  return line.slice(line.indexOf(`probe ${phase}: `)).split(" | ");
}

async function envoyReport(phase: string, holds: (report: string[]) => boolean): Promise<string[]> {
  for (let i = 0; i < 100; i++) {
    const report = lastReport(envoy.log().split("\n"), phase);
    if (holds(report)) return report;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`no report of ${phase} in Envoy's log:\n${envoy.log()}`);
}

const hostLines = (host: Host): string[] => host.logs.map((entry) => entry.message);

async function accessLine(id: string): Promise<string> {
  for (let i = 0; i < 150; i++) {
    const line = envoy.accessLog().find((one) => one.startsWith(`${id} `));
    if (line !== undefined) return line;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`no access log line for ${id}`);
}

/** What the access log would say of a stream in the host. */
function accessLineOf(id: string, stream: HttpStream): string {
  const headers = stream.responseHeaders;
  return (
    `${id} ${headers?.get(":status")} ${stream.reply?.details ?? "direct_response"} ` +
    `${stream.filterState("probe.state") ?? "-"}`
  );
}

describe("the Wasm host and Envoy answer alike", () => {
  it("while a plugin is configured", async () => {
    const report = await envoyReport("configure", (lines) => lines.length > 5);
    expect(lastReport(hostLines(newHost()), "configure")).toEqual(report);
  });

  it("in the request: headers, properties, writes, shared data, metrics, local reply", async () => {
    const headers = { ...HEADERS, "x-case": "probe", "x-mode": "probe", "x-multi": ["a", "b,c", ""] };
    const path = "/some/where?q=1&r=%20";
    const real = await envoy.send({ path, headers });
    const stream = newHost().run({ headers: { ...headers, ":path": path, ":authority": "probe.test" } });
    expect(stream.reply?.body.split("\n")).toEqual(real.body.split("\n"));
    expect(stream.reply?.status).toBe(real.status);
    expect(stream.reply?.headers.all("x-added").join(", ")).toBe(real.headers["x-added"]);
    expect(stream.reply?.headers.get("content-type")).toBe(real.headers["content-type"]);
    expect(stream.reply?.headers.get("x-probe-response")).toBe(real.headers["x-probe-response"]);
    expect(accessLineOf("probe", stream)).toBe(await accessLine("probe"));
  });

  it("after Continue, in the response and in the log", async () => {
    const headers = { ...HEADERS, "x-case": "pass", "x-mode": "pass" };
    const real = await envoy.send({ path: "/pass", headers });
    const host = newHost();
    const stream = host.newStream({
      headers: { ...headers, ":path": "/pass", ":authority": "probe.test" },
      attributes: { response: { code_details: "direct_response" } },
    });
    expect(stream.sendRequestHeaders()).toEqual({ kind: "continue" });
    stream.sendResponseHeaders(
      { ":status": "200", "content-length": "5", "content-type": "text/plain" },
      { endOfStream: false },
    );
    stream.sendResponseBody("hello");
    stream.end();
    expect(Buffer.from(stream.responseBody).toString()).toBe(real.body);
    expect(Number(stream.responseHeaders?.get(":status"))).toBe(real.status);
    expect(lastReport(hostLines(host), "response")).toEqual(await envoyReport("response", (lines) => lines.length > 5));
    expect(lastReport(hostLines(host), "log")).toEqual(
      await envoyReport("log", (lines) => lines.some((line) => line === "request/path=/pass")),
    );
    expect(accessLineOf("pass", stream)).toBe(await accessLine("pass"));
  });

  it("with a body that is buffered and read", async () => {
    const headers = { ...HEADERS, "x-case": "body", "x-mode": "body" };
    const real = await envoy.send({ method: "POST", path: "/upstream", headers, body: "hello body" });
    const stream = newHost().newStream({
      headers: { ...headers, ":method": "POST", ":path": "/upstream", ":authority": "probe.test" },
    });
    expect(stream.sendRequestHeaders({ endOfStream: false })).toEqual({ kind: "continue" });
    stream.sendRequestBody("hello", { endOfStream: false });
    stream.sendRequestBody(" body");
    expect(stream.reply?.body.split("\n")).toEqual(real.body.split("\n"));
    stream.end();
    expect(accessLineOf("body", stream)).toBe(await accessLine("body"));
  });

  it.each(["allow", "deny", "reset"])("with an HTTP callout that answers %s", async (answer) => {
    calleeAnswer = answer;
    const headers = { ...HEADERS, "x-case": `call-${answer}`, "x-mode": "call" };
    const real = await envoy.send({ headers });
    const host = newHost();
    const stream = host.newStream({ headers: { ...headers, ":authority": "probe.test" } });
    expect(stream.sendRequestHeaders()).toEqual({ kind: "paused" });
    const call = host.httpCalls[0];
    // A cluster whose host closes the connection answers 503 itself: no failure for the filter.
    if (answer === "reset") call?.respond({ headers: { ":status": "503" }, body: "upstream connect error" });
    else call?.respond({ headers: { ":status": "200" }, body: answer });
    if (stream.outcome.kind === "continue") stream.sendResponseHeaders({ ":status": "200" });
    expect(Number(stream.responseHeaders?.get(":status"))).toBe(real.status);
    stream.end();
    expect(accessLineOf(`call-${answer}`, stream)).toBe(await accessLine(`call-${answer}`));
  });

  it("for a gRPC request that is refused", async () => {
    const headers = { ...HEADERS, "x-case": "grpc", "x-mode": "grpc", "content-type": "application/grpc" };
    const real = await envoy.send({ method: "POST", headers });
    const stream = newHost().run({ headers: { ...headers, ":method": "POST", ":authority": "probe.test" } });
    for (const name of ["grpc-status", "grpc-message", "content-type"])
      expect(stream.responseHeaders?.get(name)).toBe(real.headers[name]);
    expect(real.status).toBe(200);
    expect(stream.reply?.details).toBe((await accessLine("grpc")).split(" ")[2]);
  });

  // Last: it ends the VM.
  it("for a filter that traps: 503 then and ever after", async () => {
    const host = newHost();
    for (const mode of ["trap", "probe"]) {
      const headers = { ...HEADERS, "x-case": `after-${mode}`, "x-mode": mode };
      const real = await envoy.send({ headers });
      const stream = host.run({ headers: { ...headers, ":authority": "probe.test" } });
      expect(stream.reply?.status).toBe(real.status);
      expect(accessLineOf(`after-${mode}`, stream)).toBe(await accessLine(`after-${mode}`));
    }
    expect(host.failure()?.callback).toBe("proxy_on_request_headers");
    const critical = host.logged("critical").find((line) => line.includes("aborted") || line.includes("unreachable"));
    expect(critical).toBeDefined();
    expect(envoy.log()).toContain("proxy_on_request_headers");
  });
});
