import { expect, it } from "vitest";
import { formatPath } from "../../model/document.ts";
import { translateOperator } from "./translate-operator.ts";

it("understands an IstioOperator as people have it, and says what has no meaning here", () => {
  const { values, ignored } = translateOperator({
    profile: "default",
    hub: "localhost/scrim",
    tag: "1.2.3",
    meshConfig: { accessLogFile: "/dev/stdout" },
    components: {
      base: { enabled: true },
      pilot: {
        k8s: {
          replicaCount: 3,
          env: [{ name: "A", value: 1 }],
          resources: { requests: { cpu: "1" } },
          hpaSpec: { minReplicas: 2 },
          overlays: [{ kind: "Deployment" }],
        },
      },
      ztunnel: { enabled: true },
      ingressGateways: [
        { name: "istio-ingressgateway", enabled: true, k8s: { service: { type: "NodePort", ports: [{ port: 80 }] } } },
        { name: "edge", namespace: "edge", label: { istio: "edge" }, k8s: { securityContext: {} } },
      ],
      egressGateways: [{ name: "istio-egressgateway", enabled: true }],
    },
    values: {
      global: { proxy: { resources: { limits: { cpu: "2" } }, privileged: true }, imagePullPolicy: "Always" },
      pilot: { autoscaleEnabled: false, traceSampling: 1 },
      gateways: { "istio-ingressgateway": { autoscaleEnabled: false, loadBalancerIP: "192.0.2.1" } },
    },
  });
  expect(values).toEqual({
    profile: "default",
    global: {
      ...{ hub: "localhost/scrim", tag: "1.2.3", imagePullPolicy: "Always" },
      proxy: { resources: { limits: { cpu: "2" } } },
    },
    meshConfig: { accessLogFile: "/dev/stdout" },
    pilot: {
      ...{ replicaCount: 3, env: { A: "1" }, resources: { requests: { cpu: "1" } } },
      ...{ autoscaleMin: 2, autoscaleEnabled: false },
    },
    gateways: {
      "istio-ingressgateway": {
        enabled: true,
        autoscaling: { enabled: false },
        service: { loadBalancerIP: "192.0.2.1", type: "NodePort", ports: [{ port: 80 }] },
      },
      edge: { namespace: "edge", istioLabel: "edge" },
      "istio-egressgateway": { enabled: true, service: { type: "ClusterIP" } },
    },
  });
  expect(ignored.map(formatPath).sort()).toEqual([
    "components.ingressGateways[1].k8s.securityContext",
    "components.pilot.k8s.overlays",
    "components.ztunnel",
    "values.global.proxy.privileged",
    "values.pilot.traceSampling",
  ]);
});

it("leaves our own names as they are", () => {
  const values = { pilot: { replicaCount: 1 }, gateways: { edge: { replicaCount: 2 } }, cni: { enabled: true } };
  expect(translateOperator(values)).toEqual({ values, ignored: [] });
});
