// `scrim install` and what belongs to it against a real API server. Nothing runs the pods there: this test says in
// Deployments' status, and in the webhooks, what a control plane that is ready would.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ApiServer, noApiServer, startApiServer } from "../../support/api-server.ts";
import { type Ended, runScrim } from "../../support/command.ts";

let server: ApiServer;
const directory = mkdtempSync(join(tmpdir(), "scrim-install-"));
const scrim = (...args: string[]): Promise<Ended> => runScrim([...args, "--kubeconfig", server.kubeconfig]);

const names = async (kind: string, ...args: string[]) =>
  (await server.kubectl(["get", kind, "-o", "name", ...args])).stdout
    .trim()
    .split("\n")
    .filter((name) => name !== "");

const patch = (kind: string, name: string, value: unknown, ...args: string[]) =>
  server.kubectl(["patch", kind, name, "--type=merge", "-p", JSON.stringify(value), ...args]);

interface Listed {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string; readonly generation: number };
  readonly spec: { readonly replicas: number };
  readonly webhooks: readonly object[];
}

/** Says of every Deployment that its pods are ready, and of every injector that it has its certificate. */
async function makeReady(): Promise<void> {
  const { stdout } = await server.kubectl(["get", "deployments,mutatingwebhookconfigurations", "-A", "-o", "json"]);
  const { items } = JSON.parse(stdout || '{"items":[]}') as { items: readonly Listed[] };
  for (const { kind, metadata, spec, webhooks } of items) {
    const { name, namespace, generation } = metadata;
    if (kind === "Deployment") {
      const { replicas } = spec;
      const counts = { replicas, updatedReplicas: replicas, readyReplicas: replicas, availableReplicas: replicas };
      const status = { ...counts, observedGeneration: generation };
      await patch("deployment", name, { status }, "-n", namespace, "--subresource=status");
    } else {
      const path = (index: number) => `/webhooks/${index}/clientConfig/caBundle`;
      const operations = webhooks.map((_, index) => ({ op: "add", path: path(index), value: "Cg==" }));
      const args = ["mutatingwebhookconfiguration", name, "--type=json", "-p", JSON.stringify(operations)];
      await server.kubectl(["patch", ...args]);
    }
  }
}

/** Runs an installation to its end, and what makes it ready beside it. */
async function installed(...args: readonly string[]): Promise<Ended> {
  let isOver = false;
  const ended = scrim(...args, "-y", "--readiness-timeout", "100s").finally(() => (isOver = true));
  while (!isOver) {
    await makeReady();
    await delay(200);
  }
  return ended;
}

describe.skipIf(noApiServer)(`an installation in a real API server${noApiServer ? ` (${noApiServer})` : ""}`, () => {
  beforeAll(async () => {
    server = await startApiServer();
  });
  afterAll(async () => {
    await server?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  it("is found to be possible, and says what it would do", async () => {
    const precheck = await scrim("x", "precheck");
    expect(precheck).toMatchObject({ code: 0, stderr: "" });
    expect(precheck.stdout).toMatch(/^ok {6}Kubernetes v1\./);
    const dryRun = await scrim("install", "--dry-run", "--set", "profile=minimal");
    expect(dryRun).toMatchObject({ code: 0, stderr: "" });
    expect(dryRun.stdout).toMatch(/create +Namespace istio-system\n/);
    expect(dryRun.stdout).toMatch(/create +Deployment istio-system\/istiod\n/);
    expect(await names("namespace", "istio-system", "--ignore-not-found")).toEqual([]);
  });

  it("consists of objects that the API server takes", async () => {
    await server.kubectl(["create", "namespace", "mesh"]);
    const { stdout } = await runScrim(["manifest", "generate", "-i", "mesh", "--set", "pilot.autoscaleEnabled=true"]);
    const applied = await server.kubectl(["apply", "--server-side", "--dry-run=server", "-f", "-"], stdout);
    expect(applied.stderr).toBe("");
  });

  it("is not begun where nobody says yes", async () => {
    expect(await scrim("install")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("Nothing was changed, since nobody is here to be asked: -y goes on."),
    });
  });

  it("is made step by step and verified, whatever was changed is told, and the same again changes nothing", async () => {
    const { code, stdout, stderr } = await installed("install", "--set", "profile=demo");
    expect([code, stderr]).toEqual([0, ""]);
    const steps = stdout.split("\n").filter((line) => !line.startsWith("  waiting: "));
    expect(steps.slice(0, 7)).toEqual([
      "Namespace istio-system made",
      expect.stringMatching(/^Definitions of custom resources: \d+ objects applied$/),
      expect.stringMatching(/^Access rights: \d+ objects applied$/),
      "Configuration: 3 objects applied",
      expect.stringMatching(/^Control plane: \d objects applied$/),
      "Webhooks: 2 objects applied",
      expect.stringMatching(/^Gateway istio-ingressgateway: \d objects applied$/),
    ]);
    const verified = await scrim("verify-install");
    expect(verified).toMatchObject({ code: 0, stdout: expect.stringMatching(/^(\d+) of \1 objects are as installed/) });
    await server.kubectl(["delete", "rolebinding", "istiod-leader", "-n", "istio-system"]);
    await patch("configmap", "istio", { data: { mesh: "{}" } }, "-n", "istio-system");
    const wrong = await scrim("verify-install");
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining("objects are as installed by Scrim") });
    expect(wrong.stdout).toMatch(/missing +RoleBinding istio-system\/istiod-leader\n/);
    expect(wrong.stdout).toMatch(/different +ConfigMap istio-system\/istio\n/);
    expect((await installed("install", "--set", "profile=demo")).code).toBe(0);
    expect((await scrim("install", "--set", "profile=demo", "--dry-run")).stdout).toBe("Nothing would change.\n");
  });

  it("gives the control plane the rights that it needs, and no others", async () => {
    const can = async (...what: string[]) => {
      const account = "--as=system:serviceaccount:istio-system:istiod";
      return (await server.kubectl(["auth", "can-i", ...what, account])).stdout.trim();
    };
    const granted = [
      ["watch", "pods", "-A"],
      ["list", "virtualservices.networking.istio.io", "-A"],
      ["patch", "wasmplugins.extensions.istio.io", "--subresource=status", "-n", "default"],
      ["create", "tokenreviews.authentication.k8s.io"],
      ["create", "subjectaccessreviews.authorization.k8s.io"],
      ["create", "configmaps", "-n", "default"],
      ["patch", "configmaps/istio-ca-root-cert", "-n", "default"],
      ["get", "secrets/cacerts", "-n", "istio-system"],
      ["update", "leases.coordination.k8s.io", "-n", "istio-system"],
      ["patch", "mutatingwebhookconfigurations.admissionregistration.k8s.io"],
    ];
    for (const what of granted) expect([what, await can(...what)]).toEqual([what, "yes"]);
    const kept = [
      ["get", "secrets", "-n", "default"],
      ["patch", "configmaps/settings", "-n", "default"],
      ["delete", "pods", "-n", "default"],
      ["patch", "virtualservices.networking.istio.io", "-n", "default"],
      ["create", "pods", "-n", "istio-system"],
    ];
    for (const what of kept) expect([what, await can(...what)]).toEqual([what, "no"]);
  });

  it("is upgraded with the values it has, and loses what it has not any more", async () => {
    const upgraded = await installed("upgrade", "--set", "pilot.podLabels.team=mesh");
    expect(upgraded).toMatchObject({ code: 0, stderr: "" });
    expect(await names("deployment", "-n", "istio-system")).toContain("deployment.apps/istio-ingressgateway");
    const { stdout } = await installed("upgrade", "--set", "gateways.istio-ingressgateway.enabled=false");
    expect(stdout).toContain("not a part any more: Deployment istio-system/istio-ingressgateway");
    expect(await names("deployment", "-n", "istio-system")).toEqual(["deployment.apps/istiod"]);
  });

  it("reads an IstioOperator, and says where it means nothing", async () => {
    const file = join(directory, "operator.yaml");
    writeFileSync(
      file,
      [
        "apiVersion: install.istio.io/v1alpha1",
        "kind: IstioOperator",
        "spec:",
        "  profile: minimal",
        "  components:",
        "    pilot:",
        "      k8s:",
        "        replicaCount: 3",
        "        overlays: []",
        "  values:",
        "    global: {hub: localhost/scrim}",
      ].join("\n"),
    );
    const { stdout, stderr } = await runScrim(["manifest", "generate", "-f", file, "--set", "tag=1"]);
    expect(stderr).toBe(`${file}:9: spec.components.pilot.k8s.overlays has no meaning here and is ignored\n`);
    expect(stdout).toContain("replicas: 3\n");
    expect(stdout).toContain("image: localhost/scrim/controlplane:1\n");
    expect(await runScrim(["manifest", "generate", "--set", "pilott.replicaCount=1"])).toMatchObject({
      code: 5,
      stderr: "scrim: --set pilott: there is no such value.\n",
    });
  });

  it("says what is wrong when it does not get ready", async () => {
    const labels = { app: "istiod", "istio.io/rev": "broken" };
    const container = { name: "discovery", image: "nowhere/controlplane:1" };
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "istiod-broken-1", namespace: "broken", labels },
      spec: { containers: [container] },
    };
    await server.kubectl(["create", "namespace", "broken"]);
    await server.kubectl(["create", "-f", "-"], JSON.stringify(pod));
    const waiting = { reason: "ImagePullBackOff", message: 'Back-off pulling image "nowhere/controlplane:1"' };
    const status = {
      containerStatuses: [{ ...container, imageID: "", ready: false, restartCount: 0, state: { waiting } }],
    };
    await patch("pod", "istiod-broken-1", { status }, "-n", "broken", "--subresource=status");
    const args = [
      "install",
      "-y",
      "-i",
      "broken",
      "-r",
      "broken",
      "--set",
      "profile=minimal",
      "--readiness-timeout",
      "1s",
    ];
    const { code, stderr } = await scrim(...args);
    expect(code).toBe(1);
    expect(stderr).toContain("scrim: Control plane: not ready in time.\n");
    expect(stderr).toContain("Deployment broken/istiod-broken is not taken up by Kubernetes' controllers yet\n");
    expect(stderr).toContain(
      'pod istiod-broken-1, container discovery: ImagePullBackOff: Back-off pulling image "nowhere',
    );
    expect((await scrim("uninstall", "-y", "-i", "broken", "-r", "broken")).code).toBe(0);
  });

  it("leaves alone what is somebody else's", async () => {
    await server.kubectl(["create", "namespace", "theirs"]);
    await server.kubectl(["create", "deployment", "istiod", "--image=pilot", "-n", "theirs"]);
    const { code, stderr } = await scrim("install", "-y", "-i", "theirs");
    expect(code).toBe(1);
    expect(stderr).toContain("Nothing was changed: these are there already.\n");
    expect(stderr).toContain("Deployment theirs/istiod belongs to somebody else, such as Istio\n");
    await server.kubectl([
      "label",
      "crd",
      "virtualservices.networking.istio.io",
      "app.kubernetes.io/part-of=istio",
      "--overwrite",
    ]);
    expect((await scrim("x", "precheck")).stdout).toContain("left as they are: virtualservices.networking.istio.io");
    expect((await installed("upgrade")).stdout).toContain(
      "Left alone, since somebody else made them: virtualservices.networking.istio.io\n",
    );
    await server.kubectl([
      "label",
      "crd",
      "virtualservices.networking.istio.io",
      "app.kubernetes.io/part-of=scrim",
      "--overwrite",
    ]);
  });

  it("goes, but for what people wrote; a purge takes that, too", async () => {
    const { code, stdout } = await scrim("uninstall", "-y");
    expect(code).toBe(0);
    expect(stdout).toMatch(/\d+ objects removed\.\nWhat stays: the definitions of custom resources/);
    for (const kind of [
      "deployment",
      "service",
      "serviceaccount",
      "configmap",
      "role",
      "rolebinding",
      "poddisruptionbudget",
    ])
      expect(
        (await names(kind, "-n", "istio-system")).filter((name) => !/\/(default|kube-root-ca\.crt)$/.test(name)),
        kind,
      ).toEqual([]);
    for (const kind of [
      "clusterrole",
      "clusterrolebinding",
      "mutatingwebhookconfiguration",
      "validatingwebhookconfiguration",
    ])
      expect(
        (await names(kind)).filter((name) => name.includes("istio")),
        kind,
      ).toEqual([]);
    expect((await names("crd")).length).toBeGreaterThan(10);
    expect(await scrim("uninstall", "-y")).toMatchObject({
      code: 4,
      stderr: expect.stringContaining("Nothing is installed"),
    });
    expect((await scrim("uninstall", "--purge", "-y")).code).toBe(0);
    const jsonpath = 'jsonpath={range .items[*]}{.metadata.name} {.metadata.deletionTimestamp}{"\\n"}{end}';
    const { stdout: left } = await server.kubectl(["get", "crd", "-o", jsonpath]);
    // The API server takes its time for their objects.
    for (const line of left
      .trim()
      .split("\n")
      .filter((one) => one !== ""))
      expect(line).toMatch(/ \d{4}-/);
  });
});
