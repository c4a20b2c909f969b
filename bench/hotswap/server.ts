// consumes: Envoy resources, one set at a time
// produces: the project's own xDS server with an authority beside it, and the bootstrap of the one proxy it knows
// never does: translate
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildBootstrap, CONTROL_PLANE_SERVER_NAME } from "../../controlplane/bootstrap/bootstrap.ts";
import { openAuthority } from "../../controlplane/ca/authority.ts";
import { createWorkloadSecrets } from "../../controlplane/ca/workload-secrets.ts";
import { spiffeId } from "../../controlplane/model/spiffe.ts";
import { failed } from "../../controlplane/model/failure.ts";
import { createResourceEncoder } from "../../controlplane/snapshot/encode.ts";
import { createSystemClock } from "../../controlplane/telemetry/clock.ts";
import type { EnvoyResources } from "../../controlplane/translate/emit/resources.ts";
import { createXdsServer } from "../../controlplane/xds/server.ts";
import { scratchDirectory } from "../../test/support/children.ts";

export interface ResourceServer {
  /** The bootstrap of the proxy that this server serves. */
  readonly bootstrap: object;
  /** Serves these from now on. */
  publish(resources: EnvoyResources): void;
  /** What the proxy rejected, a sentence each. */
  rejections(): readonly string[];
  close(): Promise<void>;
}

const POD = { namespace: "default", pod: "bench-0", serviceAccount: "bench" };
const TOKEN = "the token of bench-0";
const silent = {
  info: () => undefined,
  warn: () => undefined,
  error: (fields: object, message: string) => console.error(message, fields),
};

/** Starts a server on a free port of the loopback interface. */
export async function startResourceServer(first: EnvoyResources): Promise<ResourceServer> {
  const directory = scratchDirectory();
  const clock = createSystemClock();
  const opening = openAuthority({ directory: join(directory, "ca"), trustDomain: "cluster.local", clock });
  if (opening.kind === "failed") throw new Error(opening.message);
  const { authority } = opening;
  const secrets = createWorkloadSecrets({ authority, clock, random: Math.random });
  const encoder = createResourceEncoder();
  let encoded = encoder.encodeResources("bench", first);
  const { chainPem, keyPem } = authority.issueServerCertificate({
    dnsNames: [CONTROL_PLANE_SERVER_NAME],
    ipAddresses: ["127.0.0.1"],
  });
  const server = createXdsServer({
    encoder,
    clock,
    log: silent,
    secure: {
      host: "127.0.0.1",
      port: 0,
      certificate: { certificate: chainPem, key: keyPem },
      authenticate: async (token) =>
        token === TOKEN ? { kind: "proven", identity: POD } : failed("unproven", "not the token of this bench"),
    },
    resourcesFor: () => encoded,
    secretsFor: ({ identity }) =>
      secrets.secretsFor(spiffeId("cluster.local", identity.namespace, identity.serviceAccount)),
  });
  await server.listen();
  const rootCertificateFile = join(directory, "root.pem");
  writeFileSync(rootCertificateFile, authority.rootPem);
  return {
    bootstrap: bootstrapOf(server.address().port, rootCertificateFile),
    publish(resources) {
      encoded = encoder.encodeResources("bench", resources, encoded);
      server.notify();
    },
    rejections: () => server.status().flatMap(({ rejections }) => rejections.map(({ message }) => message)),
    close: () => server.close(),
  };
}

function bootstrapOf(port: number, rootCertificateFile: string): object {
  return buildBootstrap({
    kind: "sidecar",
    podName: POD.pod,
    namespace: POD.namespace,
    workload: "bench",
    serviceAccount: POD.serviceAccount,
    labels: { app: "bench" },
    podIp: "127.0.0.1",
    trustDomain: "cluster.local",
    clusterId: "Kubernetes",
    version: "bench",
    admin: { address: "127.0.0.1", port: 0 },
    token: TOKEN,
    metricLabels: [],
    controlPlane: {
      at: { address: "127.0.0.1", port },
      rootCertificateFile,
      serverName: CONTROL_PLANE_SERVER_NAME,
    },
  });
}
