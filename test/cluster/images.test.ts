// The mesh's images, as pods run them: no more rights and programs than they need.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TEST_HUB } from "../../deploy/setup/test-cluster.mjs";
import { SCRIM_VERSION } from "../../controlplane/settings/version.ts";
import { apply, kubectl } from "./support/kubectl.ts";
import { clusterMissing } from "./support/missing.ts";

const missing = clusterMissing();
const NAMESPACE = "images";
const restricted = {
  runAsNonRoot: true,
  readOnlyRootFilesystem: true,
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
};

function job(image: string, container: object): object {
  const name = image.split("/").at(-1) ?? "";
  const spec = {
    restartPolicy: "Never",
    containers: [{ name, image: `${TEST_HUB}/${image}:${SCRIM_VERSION}`, ...container }],
  };
  return { apiVersion: "v1", kind: "Pod", metadata: { name, namespace: NAMESPACE }, spec };
}

/** Runs an image's program to its end; returns what it printed. */
async function logOf(image: string, container: object): Promise<string> {
  await apply(job(image, container));
  const phase = "jsonpath={.status.phase}=Succeeded";
  await kubectl(["-n", NAMESPACE, "wait", `--for=${phase}`, `pod/${image}`, "--timeout=60s"]);
  return kubectl(["-n", NAMESPACE, "logs", image]);
}

describe.skipIf(missing !== undefined)(`images in a cluster${missing ? ` (left out: ${missing})` : ""}`, () => {
  beforeAll(() => kubectl(["create", "namespace", NAMESPACE]));
  afterAll(() => kubectl(["delete", "namespace", NAMESPACE, "--wait=false"]));

  it("the control plane's runs without rights and without a file to write to", async () => {
    expect(await logOf("controlplane", { args: ["--version"], securityContext: restricted })).toBe(
      `${SCRIM_VERSION}\n`,
    );
  });

  it("the proxy's is an Envoy and nothing else", async () => {
    expect(await logOf("proxy", { args: ["--version"], securityContext: restricted })).toMatch(/^\S*envoy\s+version:/m);
  });

  it("the init image loads rules into a pod that gives it NET_ADMIN", async () => {
    const rules = "*nat\\n:SCRIM_TEST - [0:0]\\n-A SCRIM_TEST -p tcp -j REDIRECT --to-ports 15001\\nCOMMIT\\n";
    const load = `printf "${rules}" | iptables-restore --noflush && iptables-save -t nat && ip -6 address replace ::6/128 dev lo nodad`;
    const securityContext = { capabilities: { drop: ["ALL"], add: ["NET_ADMIN"] }, readOnlyRootFilesystem: true };
    expect(await logOf("init", { args: [load], securityContext })).toContain("-j REDIRECT --to-ports 15001");
  });
});
