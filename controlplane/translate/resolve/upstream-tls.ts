// What is spoken below the protocol of one upstream.
import type { ClientTlsSpec } from "../../model/kinds/destination-rule.ts";
import { MAX_SERVER_NAME_BYTES } from "../../model/envoy-limits.ts";
import type { World } from "../../world/world.ts";
import { type UpstreamId, type UpstreamTls, upstreamText } from "../ir/upstream.ts";
import { isFailed } from "../../model/failure.ts";
import { authoritiesNamed, authorityName, CREDENTIAL, credentialNamed } from "./credential.ts";
import type { MeshService } from "./mesh-service.ts";

type ServerTls = Extract<UpstreamTls, { mode: "tls" }>;

/** Returns what clients in `client` speak to a service: what its rule says, else mesh mTLS where sidecars answer. */
export function resolveUpstreamTls(
  world: World,
  service: MeshService,
  id: UpstreamId,
  spec: ClientTlsSpec | undefined,
): UpstreamTls {
  const sni = meshSni(id);
  if (spec === undefined)
    return world.mesh.enableAutoMtls && mayHaveSidecars(service)
      ? { mode: "auto", identities: service.identities, sni }
      : { mode: "none" };
  const mode = spec.mode ?? "DISABLE";
  if (mode === "DISABLE") return { mode: "none" };
  if (mode === "ISTIO_MUTUAL")
    return {
      mode: "mesh",
      identities: spec.subjectAltNames?.length ? spec.subjectAltNames : service.identities,
      sni: spec.sni ?? sni,
    };
  return {
    mode: "tls",
    sni: spec.sni ?? "",
    ...(spec.credentialName === undefined ? filesOf(spec) : secretsOf(spec.credentialName, mode === "MUTUAL")),
    subjectAltNames: spec.subjectAltNames?.length ? spec.subjectAltNames : namesOf(service),
    insecureSkipVerify: spec.insecureSkipVerify === true,
  };
}

/** Of a server outside of the mesh its ServiceEntry may say by which names it is known. */
function namesOf({ declaredBy, identities }: MeshService): readonly string[] {
  return declaredBy === "ServiceEntry" ? identities : [];
}

function filesOf({ mode, caCertificates, caCrl, clientCertificate, privateKey }: ClientTlsSpec): Partial<ServerTls> {
  return {
    ...(caCertificates !== undefined && { caFile: caCertificates }),
    ...(caCrl !== undefined && { revocationFile: caCrl }),
    ...(mode === "MUTUAL" && clientCertificate !== undefined && { clientCertificateFile: clientCertificate }),
    ...(mode === "MUTUAL" && privateKey !== undefined && { clientKeyFile: privateKey }),
  };
}

/** Of the client's own namespace. */
function secretsOf(credential: string, mutual: boolean): Partial<ServerTls> {
  return {
    authoritySecret: `${CREDENTIAL}${authorityName(credential)}`,
    ...(mutual && { certificateSecret: `${CREDENTIAL}${credential}` }),
  };
}

/**
 * Returns whether a credential is named that the client's namespace does not have: a MUTUAL one without certificate and
 * key, or one that is to check the server and has no authority.
 */
export function lacksCredential(world: World, client: string, spec: ClientTlsSpec | undefined): boolean {
  const { mode, credentialName, insecureSkipVerify } = spec ?? {};
  if (credentialName === undefined || (mode !== "SIMPLE" && mode !== "MUTUAL")) return false;
  const lacksOwn = mode === "MUTUAL" && isFailed(credentialNamed(world, client, credentialName));
  return lacksOwn || (insecureSkipVerify !== true && isFailed(authoritiesNamed(world, client, credentialName)));
}

/** Whether mesh mTLS is decided per address: addresses come and go without the upstream's being told anew. */
function mayHaveSidecars(service: MeshService): boolean {
  if (service.internal && service.discovery === "endpoints") return true;
  return [...service.backends.values()].some((backends) => backends.some((backend) => backend.endpoint.meshTls));
}

/**
 * `outbound_.80_.v1_.reviews.default.svc.cluster.local`, as Istio's sidecars tell each other what they want; "" where
 * that is longer than a name can be that TLS asks for.
 */
function meshSni(id: UpstreamId): string {
  const name = upstreamText({ ...id, direction: "passedOn" });
  return Buffer.byteLength(name) > MAX_SERVER_NAME_BYTES ? "" : name;
}
