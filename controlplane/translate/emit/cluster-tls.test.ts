import { describe, expect, it } from "vitest";
import { decode } from "../../../protos/codec.ts";
import type { Upstream, UpstreamTls } from "../ir/upstream.ts";
import { buildHttpProtocolOptions } from "./cluster-protocol.ts";
import { buildClusterTls } from "./cluster-tls.ts";

const upstream = (
  protocol: Upstream["protocol"],
  host: string,
  tls: Partial<Extract<UpstreamTls, { mode: "tls" }>>,
): Upstream => ({
  id: { direction: "outbound", port: 443, subset: "", host },
  discovery: { kind: "none" },
  protocol,
  internal: false,
  anySource: true,
  loadBalancer: { kind: "leastRequest" },
  limits: { connectTimeoutMs: 1_000 },
  tls: { mode: "tls", sni: "", subjectAltNames: [], insecureSkipVerify: false, ...tls },
});

function context(given: Upstream): { sni: string | undefined; names: readonly unknown[] } {
  const packed = buildClusterTls(given, "cluster.local").transportSocket?.typedConfig;
  if (packed === undefined) throw new Error("no transport socket");
  const { sni, commonTlsContext } = decode("UpstreamTlsContext", packed.value);
  return {
    sni: sni || undefined,
    names: [
      ...new Set(
        (commonTlsContext?.validationContext?.matchTypedSubjectAltNames ?? []).map((name) => name.matcher?.exact),
      ),
    ],
  };
}

describe("TLS to a server outside", () => {
  it("takes a name from each request, also of those that a rule leads to a port that is declared for TLS", () => {
    for (const protocol of ["http1", "tcp"] as const)
      expect(buildHttpProtocolOptions(upstream(protocol, "a.example.com", {}))?.upstreamHttpProtocolOptions).toEqual({
        autoSni: true,
        autoSanValidation: true,
      });
    expect(buildHttpProtocolOptions(upstream("tcp", "a.example.com", { sni: "b.example.com" }))).toBeUndefined();
  });

  it("names nobody and expects nobody unless the rule does: requests of HTTP bring a name each, other bytes none", () => {
    for (const protocol of ["http1", "tcp"] as const)
      expect(context(upstream(protocol, "a.example.com", {}))).toEqual({ sni: undefined, names: [] });
    expect(context(upstream("tcp", "a.example.com", { sni: "b.example.com" }))).toEqual({
      sni: "b.example.com",
      names: [],
    });
    expect(context(upstream("tcp", "a.example.com", { subjectAltNames: ["c.example.com"] }))).toEqual({
      sni: undefined,
      names: ["c.example.com"],
    });
  });
});

describe("what a connection shows and checks", () => {
  const socketOf = (given: Upstream) => buildClusterTls(given, "cluster.local").transportSocket;

  it("comes from files or from secrets by name", () => {
    const tls = (given: Parameters<typeof upstream>[2]) =>
      decode("UpstreamTlsContext", socketOf(upstream("http1", "a.com", given))?.typedConfig?.value ?? new Uint8Array())
        .commonTlsContext;
    expect(tls({ caFile: "/ca.pem", revocationFile: "/crl.pem" })?.validationContext).toMatchObject({
      trustedCa: { filename: "/ca.pem" },
      crl: { filename: "/crl.pem" },
    });
    const secrets = tls({ authoritySecret: "kubernetes://a-cacert", certificateSecret: "kubernetes://a" });
    expect(secrets?.combinedValidationContext?.validationContextSdsSecretConfig?.name).toBe("kubernetes://a-cacert");
    expect(secrets?.tlsCertificateSdsSecretConfigs?.map(({ name }) => name)).toEqual(["kubernetes://a"]);
    expect(secrets?.validationContext).toBeUndefined();
  });

  it("comes behind the client's address where the PROXY protocol is spoken", () => {
    const socket = socketOf({ ...upstream("http1", "a.com", {}), proxyProtocol: "V2" });
    expect(socket?.name).toBe("envoy.transport_sockets.upstream_proxy_protocol");
    const { config, transportSocket } = decode(
      "ProxyProtocolUpstreamTransport",
      socket?.typedConfig?.value ?? new Uint8Array(),
    );
    expect([config?.version, transportSocket?.name]).toEqual(["V2", "envoy.transport_sockets.tls"]);
  });
});
