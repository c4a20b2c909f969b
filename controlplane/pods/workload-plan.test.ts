import { describe, expect, it } from "vitest";
import { deploymentYaml, worldOf } from "../local/testing-world.ts";
import { createWorld } from "../world/world.ts";
import { planWorkloads } from "./workload-plan.ts";

const plan = (yaml: string) => planWorkloads(worldOf(yaml)).workloads[0];

describe("planWorkloads", () => {
  it("takes the command, folder, ports, account and replicas from the Deployment", () => {
    expect(plan(deploymentYaml({ replicas: 3 }))).toMatchObject({
      name: "web",
      namespace: "default",
      replicas: 3,
      command: "node web.mjs",
      folder: "/mesh",
      serviceAccount: "web-sa",
      ports: [{ name: "http", port: 8080 }],
      labels: { app: "web" },
      graceMs: 30_000,
    });
  });

  it("leaves Deployments without a local command to Kubernetes, unless every one is asked for", () => {
    const world = worldOf(deploymentYaml().replace("scrim.mesh/local-command", "example.com/other"));
    expect(planWorkloads(world).workloads).toEqual([]);
    expect(planWorkloads(world, "every").workloads.map(({ name }) => name)).toEqual(["web"]);
  });

  it("runs StatefulSets, whose pods keep their names, and DaemonSets as it does Deployments", () => {
    const as = (kind: string) => deploymentYaml().replace("kind: Deployment", `kind: ${kind}`);
    expect(plan(as("StatefulSet"))).toMatchObject({ name: "web", replicas: 1, hasStableNames: true });
    expect(plan(as("DaemonSet"))).toMatchObject({ name: "web", command: "node web.mjs" });
    expect(plan(as("DaemonSet"))?.hasStableNames).toBeUndefined();
  });

  it("runs Jobs, each pod once, started again as often as they say", () => {
    const job = (spec: string) =>
      deploymentYaml()
        .replace("kind: Deployment", "kind: Job")
        .replace("apps/v1", "batch/v1")
        .replace("spec:", `spec:\n  ${spec}`);
    expect(plan(job("backoffLimit: 2"))).toMatchObject({ replicas: 1, runsOnce: { retries: 2 } });
    expect(plan(job("completions: 3"))).toMatchObject({ replicas: 3, runsOnce: { retries: 6 } });
    expect(plan(job("parallelism: 0"))).toMatchObject({ replicas: 0 });
    expect(plan(deploymentYaml())?.runsOnce).toBeUndefined();
  });

  it("cannot run two workloads of one name", () => {
    const twin = deploymentYaml().replace("kind: Deployment", "kind: StatefulSet");
    expect(planWorkloads(worldOf(`${deploymentYaml()}---\n${twin}`))).toMatchObject({
      workloads: [{ name: "web" }],
      problems: [{ message: "the StatefulSet has the name of another workload of its namespace" }],
    });
  });

  it("cannot run a command for a Deployment of a cluster: it has no folder", () => {
    const [deployment] = worldOf(deploymentYaml()).list("Deployment");
    const origin = { kind: "kubernetes", object: "Deployment/default/web", uid: "u", resourceVersion: "1" } as const;
    expect(planWorkloads(createWorld([{ ...deployment!, origin }]))).toEqual({
      workloads: [],
      problems: [
        { workload: "default/web", message: "a local command runs in the folder of its YAML file, and this has none" },
      ],
    });
  });

  it("changes the hash with env, command and labels, not with replicas", () => {
    const base = plan(deploymentYaml())?.templateHash;
    expect(plan(deploymentYaml({ replicas: 7 }))?.templateHash).toBe(base);
    expect(plan(deploymentYaml({ command: "node other.mjs" }))?.templateHash).not.toBe(base);
    expect(
      plan(deploymentYaml({ container: "{ports: [{name: http, containerPort: 8080}], env: [{name: A, value: b}]}" }))
        ?.templateHash,
    ).not.toBe(base);
    expect(
      plan(deploymentYaml().replace("labels: {app: web}\n      ann", "labels: {app: web, version: v2}\n      ann"))
        ?.templateHash,
    ).not.toBe(base);
  });

  it("takes the ports that Services lead to when the container declares none", () => {
    const service = `apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 7000}, {name: again, port: 81, targetPort: 7000}]
`;
    expect(plan(`${deploymentYaml({ container: "{name: web}" })}---\n${service}`)?.ports).toEqual([
      { name: "http", port: 7000 },
    ]);
  });

  it("reads variables from ConfigMaps and Secrets, and names the Deployment that refers to a missing key", () => {
    const container =
      "{env: [{name: A, valueFrom: {configMapKeyRef: {name: settings, key: a}}}, " +
      "{name: B, valueFrom: {secretKeyRef: {name: secrets, key: b}}}]}";
    const sources =
      "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: one}\n" +
      "---\napiVersion: v1\nkind: Secret\nmetadata: {name: secrets}\ndata: {b: dHdv}\n";
    expect(plan(deploymentYaml({ container }) + sources)?.variables).toEqual([
      { kind: "value", name: "A", value: "one" },
      { kind: "value", name: "B", value: "two" },
    ]);
    const { workloads, problems } = planWorkloads(worldOf(deploymentYaml({ container })));
    expect(workloads).toEqual([]);
    expect(problems).toEqual([{ workload: "default/web", message: expect.stringContaining("environment variable A") }]);
  });
});
