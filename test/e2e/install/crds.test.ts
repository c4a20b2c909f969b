// The definitions of deploy/crds in a real API server: it takes them, they take every document of ours, and refuse what
// is wrong.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAllDocuments, stringify } from "yaml";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { customResourceDefinitions } from "../../../controlplane/install/crds/custom-resource-definitions.ts";
import { loadText } from "../../../controlplane/store/load.ts";
import { type ApiServer, noApiServer, startApiServer } from "../../support/api-server.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "../../..");
const crds = join(root, "deploy/crds");

interface Document {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** Returns the documents of the demo and the golden scenarios that the mesh takes, of kinds that are defined here. */
function documents(): readonly Document[] {
  const files = ["deploy/demo", "test/golden"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".yaml"))
      .map((name) => join(folder, name)),
  );
  return files
    .flatMap((file) => parseAllDocuments(readFileSync(join(root, file), "utf8")))
    .map((document) => document.toJS() as Document)
    .filter(isOurs);
}

function isOurs(document: Document | undefined): boolean {
  return (
    /^[a-z]+\.(?:istio\.io|scrim\.mesh)\//.test(String(document?.apiVersion)) &&
    !loadText(stringify(document)).violations.some(({ severity }) => severity === "error")
  );
}

const virtualService = (http: unknown, rest: object = {}) =>
  JSON.stringify({
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: { name: "reviews", namespace: "default" },
    spec: { hosts: ["reviews"], http: [http], ...rest },
  });
const toReviews = { route: [{ destination: { host: "reviews" } }] };

let server: ApiServer;
const apply = (text: string, ...args: string[]) => server.kubectl(["apply", "--server-side", ...args, "-f", "-"], text);

describe.skipIf(noApiServer)(`custom resources in a real API server${noApiServer ? ` (${noApiServer})` : ""}`, () => {
  beforeAll(async () => {
    server = await startApiServer();
    const applied = await server.kubectl(["apply", "--server-side", "-f", crds]);
    expect(applied.stderr).toBe("");
    expect(applied.stdout.trim().split("\n")).toHaveLength(customResourceDefinitions().length);
    const names = customResourceDefinitions().map(({ metadata }) => `crd/${metadata.name}`);
    const ready = await server.kubectl(["wait", "--for=condition=Established", "--timeout=60s", ...names]);
    expect(ready.stderr).toBe("");
  });
  afterAll(() => server?.stop());

  it("are applied a second time without a difference", async () => {
    expect((await server.kubectl(["apply", "--server-side", "-f", crds])).stderr).toBe("");
    expect(await server.kubectl(["diff", "--server-side", "-f", crds])).toMatchObject({ code: 0, stdout: "" });
  });

  it("take every document of ours that the mesh takes", async () => {
    const all = documents();
    expect(all.length).toBeGreaterThan(100);
    const namespaces = new Set(all.map(({ metadata }) => metadata.namespace ?? "default"));
    for (const namespace of namespaces) await server.kubectl(["create", "namespace", namespace]);
    const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: all });
    expect((await apply(list, "--dry-run=server", "--force-conflicts")).stderr).toBe("");
  });

  it("explain fields in a sentence", async () => {
    const { stdout } = await server.kubectl(["explain", "vs.spec.http.retries.perTryTimeout"]);
    expect(stdout).toContain("How long one attempt may take.");
    expect(
      (await server.kubectl(["explain", "dr.spec.trafficPolicy.tunnel"])).stdout.replaceAll(/\s+/g, " "),
    ).toContain("Not supported yet: an object that uses it is refused.");
  });

  it("refuse what is wrong, each in its words", async () => {
    const refused = async (text: string) => (await apply(text)).stderr;
    expect(await refused(virtualService({ ...toReviews, timeout: "5 potatoes" }))).toContain("duration");
    expect(await refused(virtualService({ ...toReviews, retires: { attempts: 3 } }))).toContain("field not declared");
    const two = { uri: { exact: "/a", prefix: "/b" } };
    expect(await refused(virtualService({ ...toReviews, match: [two] }))).toContain("must validate one and only one");
    const rewrite = { uri: "/", uriRegexRewrite: { match: "a", rewrite: "b" } };
    expect(await refused(virtualService({ ...toReviews, rewrite }))).toContain(
      "only one of uri, uriRegexRewrite can be set",
    );
    expect(await refused(virtualService({ ...toReviews, fault: { abort: {} } }))).toContain(
      "one of httpStatus, grpcStatus, http2Error is required",
    );
  });

  it("take what is not supported yet, and every version of the API", async () => {
    const fault = { delay: { fixedDelay: "1s", exponentialDelay: "1s" } };
    expect((await apply(virtualService({ ...toReviews, fault }))).stderr).toBe("");
    const { stdout } = await server.kubectl(["get", "virtualservices.v1alpha3.networking.istio.io", "-o", "json"]);
    expect(stdout).toContain("exponentialDelay");
    expect((await server.kubectl(["get", "istio-io"])).stdout).toContain("reviews");
  });

  it("show in columns what became of an object", async () => {
    expect((await apply(virtualService(toReviews))).stderr).toBe("");
    const conditions = [
      { type: "Accepted", status: "True", reason: "Accepted", message: "" },
      { type: "Distributed", status: "False", reason: "Waiting", message: "97 of 100 proxies" },
    ];
    const status = {
      apiVersion: "networking.istio.io/v1",
      kind: "VirtualService",
      metadata: { name: "reviews" },
      status: { conditions },
    };
    expect((await apply(JSON.stringify(status), "--subresource=status", "--field-manager=scrim")).stderr).toBe("");
    const { stdout } = await server.kubectl(["get", "vs"]);
    expect(stdout.split("\n")[0]?.split(/\s+/)).toEqual([
      "NAME",
      "GATEWAYS",
      "HOSTS",
      "ACCEPTED",
      "DISTRIBUTED",
      "AGE",
    ]);
    expect(stdout).toMatch(/reviews +\["reviews"\] +True +97 of 100 proxies/);
  });
});
