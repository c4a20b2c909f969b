// The guide's example is what it shows, and runs.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, expect, it } from "vitest";
import { resourceTypes } from "../../controlplane/snapshot/type-urls.ts";
import { discoveryMethods } from "../../controlplane/xds/grpc/services.ts";
import { decode } from "../../protos/codec.ts";
import { until } from "../support/until.ts";
import { openRawClient } from "../support/raw-client.ts";

const example = fileURLToPath(new URL("./own-resources.ts", import.meta.url));
const guide = fileURLToPath(new URL("../../docs/xds.md", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "scrim-own-"));
let child: ChildProcess | undefined;

afterAll(() => {
  child?.kill("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

it("the guide shows the example as it is", () => {
  expect(readFileSync(guide, "utf8")).toContain(readFileSync(example, "utf8"));
});

it("the example serves a node of its group, and tells it every change", async () => {
  const bundle = join(directory, "own-resources.cjs");
  await build({ entryPoints: [example], bundle: true, platform: "node", outfile: bundle, logLevel: "error" });
  child = spawn(process.execPath, [bundle, "0"], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout!.setEncoding("utf8").on("data", (text: string) => (output += text));
  await until(
    () => /serving at 127\.0\.0\.1:\d+/.test(output),
    "its port",
    () => output,
  );
  const port = Number(/serving at 127\.0\.0\.1:(\d+)/.exec(output)![1]);
  const client = openRawClient("sotw", discoveryMethods.find(({ name }) => name === "StreamRoutes")!.path, {
    host: "127.0.0.1",
    port,
  });
  client.send({
    node: { id: "sidecar~127.0.0.1~web-1.shop~shop.svc" },
    typeUrl: resourceTypes.routes.typeUrl,
    resourceNames: ["80"],
  });
  const seen = new Set<string>();
  while (seen.size < 2) {
    const { nonce, version, resources } = await client.next();
    client.send({
      typeUrl: resourceTypes.routes.typeUrl,
      resourceNames: ["80"],
      responseNonce: nonce,
      versionInfo: version,
    });
    seen.add(
      decode("RouteConfiguration", resources[0]!.value).virtualHosts?.[0]?.routes?.[0]?.directResponse?.body
        ?.inlineString ?? "",
    );
  }
  await until(
    () => /web-1\.shop~shop\.svc has hello \d/.test(output),
    "its word that the node has it",
    () => output,
  );
  client.close();
  expect([...seen].every((text) => /^hello \d+\n$/.test(text))).toBe(true);
});
