// How a gateway is reached from inside: by its Services' ports and target ports, as in Istio. And other names of one
// thing: a Service that is only a name.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Mesh, request, startMesh } from "../../support/mesh.ts";
import { documents, echoDeployment, service } from "../../support/workloads.ts";

const gateway = (name: string, port: number) => `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: ${name}}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: ${port}, name: http, protocol: HTTP}, hosts: ["*"]}]
`;
const answers = (name: string, body: string) => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}}
spec:
  hosts: ["*"]
  gateways: [${name}]
  http: [{directResponse: {status: 200, body: {string: ${body}}}}]
`;
const gatewayService = (name: string, ports: string) => `apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: istio-system}
spec: {selector: {istio: ingressgateway}, ports: [${ports}]}
`;
const named = (name: string, ports: string, other = "web") => `apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: default}
spec: {type: ExternalName, externalName: ${other}.default.svc.cluster.local${ports}}
`;

let mesh: Mesh;
beforeAll(async () => {
  mesh = await startMesh({
    files: {
      "workloads.yaml": documents(
        ...["web", "client"].flatMap((app) => [service(app), echoDeployment({ name: app, app })]),
        named("alias", ", ports: [{name: http, port: 80}]"),
        named("portless", ""),
        named("second", "", "portless"),
      ),
      "gateways.yaml": documents(
        gateway("outer", 80),
        gateway("inner", 8081),
        answers("outer", "outer"),
        answers("inner", "inner"),
        gatewayService("istio-ingressgateway", "{name: http2, port: 80, targetPort: 8080}"),
        gatewayService("local-gateway", "{name: http2, port: 80, targetPort: 8081}"),
        gatewayService("named", "{name: http2, port: 80, targetPort: http2}"),
      ),
    },
  });
}, 120_000);
afterAll(() => mesh?.stop());

describe("two Gateways of one selector with equal port names, behind Services", () => {
  it.each([
    ["istio-ingressgateway", "outer"],
    ["local-gateway", "inner"],
    ["named", "outer"],
  ])("%s leads to %s", async (host, body) => {
    const answer = await mesh.from("client", `http://${host}.istio-system/`);
    expect([answer.status, answer.body]).toEqual([200, body]);
  });
});

describe("a Service that is another's name", () => {
  it.each(["alias", "portless", "second"])("%s leads there, and nothing is said against it", async (host) => {
    expect((await mesh.from("client", `http://${host}/`)).status).toBe(200);
    expect((await request(`${mesh.admin}/debug/violations`)).body.trim()).toBe("[]");
  });
});
