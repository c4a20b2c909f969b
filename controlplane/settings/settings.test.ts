import { describe, expect, it } from "vitest";
import { formatSocketAddress } from "../model/socket-address.ts";
import { isLoopback, parseAddress } from "./address.ts";
import { readClusterAccess } from "./cluster-access.ts";
import { readEnvironment } from "./environment.ts";
import { readServeSettings, readUpSettings } from "./settings.ts";

const environment = readEnvironment({ HOME: "/home/me", PATH: "/bin" });

describe("addresses", () => {
  it.each([
    ["127.0.0.1:15014", "127.0.0.1", 15014],
    ["localhost:0", "127.0.0.1", 0],
    ["[::1]:80", "::1", 80],
  ])("reads %s", (text, address, port) => {
    expect(parseAddress(text)).toEqual({ address, port });
  });
  it.each(["", "127.0.0.1", ":80", "host:99999", "a b:1", "::1:80"])("refuses %s", (text) =>
    expect(parseAddress(text)).toBeUndefined(),
  );
  it("writes what it reads", () => expect(formatSocketAddress({ address: "::1", port: 80 })).toBe("[::1]:80"));
  it("knows loopback addresses", () =>
    expect(["127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "10.0.0.1"].map(isLoopback)).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]));
});

describe("readEnvironment", () => {
  it("has defaults", () =>
    expect(environment).toMatchObject({
      cacheDir: "/home/me/.cache/scrim",
      envoyPath: undefined,
      logLevel: "info",
      startedByNpm: false,
    }));
  it("takes what is set", () => {
    expect(
      readEnvironment({
        SCRIM_CACHE_DIR: "/c",
        ENVOY_PATH: "/e",
        SCRIM_LOG_LEVEL: "debug",
        npm_lifecycle_event: "start",
      }),
    ).toMatchObject({ cacheDir: "/c", envoyPath: "/e", logLevel: "debug", startedByNpm: true });
  });
});

describe("the cluster that is meant", () => {
  const access = (options: object, variables: Record<string, string> = {}) =>
    readClusterAccess(options, readEnvironment({ HOME: "/home/me", ...variables }));
  const pod = { KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "6443" };
  it("is that of --kubeconfig, else of KUBECONFIG, else of the pod that this runs in, else of ~/.kube/config", () => {
    expect(access({ kubeconfig: "/k", context: "c" }, { ...pod, KUBECONFIG: "/a:/b" })).toEqual({
      kind: "kubeconfig",
      paths: ["/k"],
      context: "c",
    });
    expect(access({}, { ...pod, KUBECONFIG: "/a::/b" })).toMatchObject({ kind: "kubeconfig", paths: ["/a", "/b"] });
    expect(access({}, pod)).toMatchObject({ kind: "in-cluster", host: "10.0.0.1", port: "6443" });
    expect(access({}, {})).toMatchObject({ kind: "kubeconfig", paths: ["/home/me/.kube/config"], context: undefined });
  });
  it("is one of a kubeconfig where a context is named, also in a pod", () =>
    expect(access({ context: "c" }, pod)).toMatchObject({ kind: "kubeconfig", context: "c" }));
});

describe("where the mesh is", () => {
  const read = (directory: string | undefined, options: object) => readServeSettings(directory, options, environment);
  it("is a directory, or a cluster", () => {
    expect(read("/m", {})).toMatchObject({ settings: { directory: "/m", runtimeDir: undefined } });
    expect(read(undefined, { kubernetes: true, context: "c", revision: "canary" })).toMatchObject({
      settings: {
        cluster: {
          access: { kind: "kubeconfig", paths: ["/home/me/.kube/config"], context: "c" },
          ...{ namespace: "istio-system", revision: "canary", tokenAudience: "istio-ca" },
        },
      },
    });
  });
  it.each([
    [undefined, {}, "say which one"],
    ["/m", { kubernetes: true }, "say which one"],
    ["/m", { context: "c" }, "--context"],
    ["/m", { tokenAudience: "a" }, "--token-audience"],
    [undefined, { kubernetes: true, runtime: "/r" }, "--runtime"],
    [undefined, { kubernetes: true, revision: "No.1" }, "--revision No.1"],
  ])("is not %o with %o", (directory, options, message) => {
    expect(read(directory, options)).toMatchObject({ kind: "failed", message: expect.stringContaining(message) });
  });
});

describe("settings", () => {
  it("keeps the state beside the mesh directory", () => {
    expect(readUpSettings("/srv/mesh", {}, environment)).toMatchObject({
      kind: "settings",
      settings: { directory: "/srv/mesh", stateDir: "/srv/.scrim", gatewayPort: undefined, admin: undefined },
    });
  });
  it("tells a port that was asked for from a default", () => {
    expect(readUpSettings("m", { gatewayPort: "0", adminPort: "15014" }, environment)).toMatchObject({
      settings: { gatewayPort: 0, admin: { address: "127.0.0.1", port: 15014 } },
    });
  });
  it.each([
    [{ gatewayPort: "http" }, "--gateway-port"],
    [{ adminPort: "70000" }, "--admin-port"],
    [{ certificateLifetime: "soon" }, "--certificate-lifetime"],
  ])("refuses %o", (options, name) => {
    expect(readUpSettings("m", options, environment)).toMatchObject({
      kind: "failed",
      message: expect.stringContaining(name),
    });
  });
  it.each([
    [{}, 15014, "127.0.0.1", "--admin-address"],
    [{ adminPort: "0" }, 0, "127.0.0.1", "--admin-port"],
    [{ adminAddress: "0.0.0.0:7" }, 7, "0.0.0.0", "--admin-address"],
  ])("has the admin pages of `serve` where %o says", (options, port, address, option) => {
    expect(readServeSettings("m", options, environment)).toMatchObject({
      settings: { adminAddress: { address, port, option } },
    });
  });
  it.each([
    [{ adminPort: "0" }, 0, "127.0.0.1", "--admin-port"],
    [{ adminAddress: "127.0.0.2:7" }, 7, "127.0.0.2", "--admin-address"],
    [{ adminAddress: "0.0.0.0:7" }, 7, "0.0.0.0", "--admin-address"],
  ])("has the admin pages of `up` where %o says", (options, port, address, option) => {
    expect(readUpSettings("m", options, environment)).toMatchObject({ settings: { admin: { address, port, option } } });
  });
  it("takes no two words on where the admin pages are, nor a place where `up` could not read them", () => {
    const both = { adminAddress: "127.0.0.1:1", adminPort: "1" };
    const message = "--admin-address and --admin-port both say where the admin pages are: give one of them.";
    expect(readServeSettings("m", both, environment)).toEqual({ kind: "failed", code: "usage", message });
    expect(readUpSettings("m", both, environment)).toEqual({ kind: "failed", code: "usage", message });
    expect(readUpSettings("m", { adminAddress: "10.0.0.1:1" }, environment)).toMatchObject({
      kind: "failed",
      message: expect.stringContaining("--admin-address 10.0.0.1"),
    });
  });
  it("keeps the admin pages on this machine unless told otherwise", () => {
    expect(readServeSettings("m", { adminAddress: "0.0.0.0:15014" }, environment)).toMatchObject({
      settings: { adminAddress: { address: "0.0.0.0" } },
    });
    expect(readServeSettings("m", { certificateLifetime: "10m" }, environment)).toMatchObject({
      settings: {
        adminAddress: { address: "127.0.0.1", port: 15014 },
        xdsAddress: { port: 15012 },
        workloadLifetimeMs: 600_000,
      },
    });
  });
});
