// A filter that asks a service of the mesh: by its cluster's name, which is no host.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { modulePath } from "../../../filters/module-path.ts";
import { type Mesh, startMesh } from "../../support/mesh.ts";
import { documents, echoApps } from "../../support/workloads.ts";

let mesh: Mesh;
beforeAll(async () => {
  mesh = await startMesh({
    files: {
      "workloads.yaml": echoApps("front", "checker", "client"),
      "plugin.yaml": documents(`apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: asks, namespace: default}
spec:
  selector: {matchLabels: {app: front}}
  url: file://${modulePath("examples/http-authz")}
  match: [{mode: SERVER}]
  pluginConfig:
    cluster: outbound|80||checker.default.svc.cluster.local
    path: /check
    header: x-user
    timeoutMs: 5000
`),
    },
  });
}, 120_000);
afterAll(() => mesh?.stop());

describe("examples/http-authz in a mesh", () => {
  it("is answered by the service that it names", async () => {
    const answer = await mesh.from("client", "http://front/", { headers: { "x-user": "me" } });
    expect(answer.status).toBe(200);
  });
});
