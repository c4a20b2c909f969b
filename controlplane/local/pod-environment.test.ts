import { describe, expect, it } from "vitest";
import { sidecarListens } from "../pods/listen-port.ts";
import { buildPodEnvironment } from "./pod-environment.ts";
import { podOf } from "./testing-world.ts";

describe("buildPodEnvironment", () => {
  it("tells the process where to listen and how to reach the mesh", () => {
    expect(buildPodEnvironment({ PATH: "/bin" }, podOf(), [])).toEqual({
      PATH: "/bin",
      PORT: "41233",
      PORT_HTTP: "41233",
      HTTP_PROXY: "http://127.10.4.7:15001",
      http_proxy: "http://127.10.4.7:15001",
      NO_PROXY: "127.0.0.1,localhost",
      no_proxy: "127.0.0.1,localhost",
      POD_IP: "127.10.4.7",
      POD_NAME: "reviews-v1-0-x2b9f",
      POD_NAMESPACE: "default",
      SERVICE_ACCOUNT: "bookinfo-reviews",
    });
  });

  it("names each of several ports", () => {
    const served = [
      { name: "http", port: 80 },
      { name: "grpc-api", port: 90 },
      { name: "", port: 91 },
    ];
    const ports = sidecarListens("127.10.4.7", served, (_, index) => 20_001 + index);
    expect(buildPodEnvironment({}, podOf({ ports }), [])).toMatchObject({
      PORT: "20001",
      PORT_HTTP: "20001",
      PORT_GRPC_API: "20002",
      PORT_91: "20003",
    });
  });

  it("keeps the person's own proxies and npm's variables away", () => {
    const env = buildPodEnvironment(
      {
        HTTPS_PROXY: "http://corp:3128",
        https_proxy: "x",
        all_proxy: "y",
        npm_config_registry: "z",
        no_proxy: "corp",
        HOME: "/root",
      },
      podOf(),
      [],
    );
    expect(Object.keys(env)).not.toEqual(expect.arrayContaining(["HTTPS_PROXY"]));
    expect(env).toMatchObject({ HOME: "/root", no_proxy: "127.0.0.1,localhost" });
    expect(env["npm_config_registry"]).toBeUndefined();
  });

  it("adds the container's variables, with references and pod fields, but lets none move the port or the proxy", () => {
    const env = buildPodEnvironment({}, podOf(), [
      { kind: "value", name: "GREETING", value: "hi" },
      { kind: "value", name: "URL", value: "http://$(POD_IP)/$(GREETING)/$(UNKNOWN)/$$(GREETING)" },
      { kind: "field", name: "VERSION", path: "metadata.labels['version']" },
      { kind: "field", name: "WHO", path: "metadata.name" },
      { kind: "value", name: "PORT", value: "1" },
      { kind: "value", name: "HTTP_PROXY", value: "http://elsewhere" },
    ]);
    expect(env).toMatchObject({
      URL: "http://127.10.4.7/hi/$(UNKNOWN)/$(GREETING)",
      VERSION: "v1",
      WHO: "reviews-v1-0-x2b9f",
      PORT: "41233",
      HTTP_PROXY: "http://127.10.4.7:15001",
    });
  });
});
