import { describe, expect, it } from "vitest";
import { planRouters } from "./gateway-plan.ts";
import { worldOf } from "../local/testing-world.ts";

const gateway = (name: string, selector: string, servers: string, namespace = "default") =>
  `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  selector: ${selector}
  servers:
${servers}`;
const http = (number: number) =>
  `  - {port: {number: ${number}, name: http-${number}, protocol: HTTP}, hosts: ["*"]}\n`;

describe("planRouters", () => {
  it("gives Istio's names to istio: ingressgateway, in the root namespace", () => {
    expect(planRouters(worldOf(gateway("g", "{istio: ingressgateway}", http(80))))).toEqual([
      {
        name: "istio-ingressgateway",
        namespace: "istio-system",
        serviceAccount: "istio-ingressgateway-service-account",
        labels: { app: "istio-ingressgateway", istio: "ingressgateway" },
        ports: [{ port: 80, name: "http-80", protocol: "HTTP" }],
      },
    ]);
  });

  it("joins Gateways with one selector and sorts their ports", () => {
    const a = gateway("a", "{istio: ingressgateway}", http(8443));
    const b = gateway("b", "{istio: ingressgateway}", http(80), "other");
    const routers = planRouters(worldOf(`${a}---\n${b}`));
    expect(routers.map(({ ports }) => ports.map(({ port }) => port))).toEqual([[80, 8443]]);
  });

  it("names other gateways by label, in the Gateway's namespace", () => {
    expect(planRouters(worldOf(gateway("g", "{app: abc}", http(80), "shop")))).toMatchObject([
      { name: "abc", namespace: "shop", serviceAccount: "abc-service-account", labels: { app: "abc" } },
    ]);
  });

  it("lets one proxy serve a selector that its labels satisfy as well", () => {
    const wide = gateway("wide", "{istio: ingressgateway}", http(80));
    const narrow = gateway("narrow", "{istio: ingressgateway, zone: a}", http(81));
    const routers = planRouters(worldOf(`${wide}---\n${narrow}`));
    expect(routers).toHaveLength(1);
    expect(routers[0]?.ports.map(({ port }) => port)).toEqual([80, 81]);
  });
});
