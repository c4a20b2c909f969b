import { describe, expect, it } from "vitest";
import { podDocument } from "./pod-document.ts";

describe("podDocument", () => {
  it("names each port once, whatever those who ask for them call theirs", () => {
    const { spec } = podDocument({
      name: "gateway-0",
      namespace: "default",
      labels: {},
      serviceAccount: "gateway",
      ip: "127.0.0.1",
      workload: "gateway",
      proxy: "router",
      ready: true,
      containerPorts: [
        { port: 80, name: "http" },
        { port: 8081, name: "http" },
        { port: 9090, name: "" },
        { port: 9091, name: "" },
      ],
    } as unknown as Parameters<typeof podDocument>[0]);
    expect(spec.containers[0].ports).toEqual([
      { containerPort: 80, name: "http" },
      { containerPort: 8081 },
      { containerPort: 9090 },
      { containerPort: 9091 },
    ]);
  });
});
