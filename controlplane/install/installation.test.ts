import { describe, expect, it } from "vitest";
import { injectionValues } from "../injector/values.ts";
import { isFailed } from "../model/failure.ts";
import { SCRIM_VERSION } from "../settings/version.ts";
import { injectorConfiguration, tagConfiguration, validatorConfiguration } from "../webhooks/configurations.ts";
import type { KubernetesObject } from "./description/render.ts";
import { describeInstallation } from "./installation.ts";
import { profileNames } from "./values/profiles.ts";
import type { Values } from "./values/words.ts";

const REMOTE = { global: { remotePilotAddress: "192.0.2.1" } };

function objectsOf(values: Values, namespace = "istio-system"): readonly KubernetesObject[] {
  const installation = describeInstallation(values, namespace);
  if (isFailed(installation)) throw new Error(installation.message);
  return installation.steps.flatMap(({ objects }) => objects);
}

const named = (objects: readonly KubernetesObject[], kind: string, name: string) =>
  objects.find((object) => object.kind === kind && object.metadata.name === name);

const fault = (values: Values) => {
  const installation = describeInstallation(values, "istio-system");
  return isFailed(installation) ? installation.message : undefined;
};

describe("an installation", () => {
  it("has no object twice, whatever the profile", () => {
    for (const profile of profileNames) {
      const keys = objectsOf({ profile, ...(profile === "remote" && REMOTE) }).map(
        ({ kind, metadata }) => `${kind} ${metadata.namespace ?? ""} ${metadata.name}`,
      );
      expect(new Set(keys).size, profile).toBe(keys.length);
    }
  });

  it("names every object of a revision by it, so that two stand side by side", () => {
    const keysOf = (values: Values) =>
      objectsOf({ profile: "minimal", ...values })
        .filter(({ kind }) => kind !== "CustomResourceDefinition")
        .map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    const first = keysOf({});
    expect(keysOf({ revision: "canary" }).filter((key) => first.includes(key))).toEqual([]);
    expect(keysOf({ revision: "canary" })).toContain("Deployment istiod-canary");
  });

  it("runs the control plane without a privilege, and nothing that it may write in but its own folders", () => {
    const deployment = named(objectsOf({}), "Deployment", "istiod");
    expect(deployment).toMatchObject({
      spec: {
        replicas: 2,
        template: {
          spec: {
            securityContext: { runAsNonRoot: true, runAsUser: 1337, seccompProfile: { type: "RuntimeDefault" } },
            containers: [
              {
                image: expect.stringMatching(/^docker\.io\/scrim\/controlplane:/),
                securityContext: {
                  allowPrivilegeEscalation: false,
                  readOnlyRootFilesystem: true,
                  capabilities: { drop: ["ALL"] },
                },
              },
            ],
          },
        },
      },
    });
  });

  it("may read no Secret but its own and those beside gateways, and touch no other configuration map", () => {
    const rules = objectsOf({})
      .filter(({ kind }) => kind === "ClusterRole")
      .flatMap((role) => role["rules"] as { resources: string[]; verbs: string[]; resourceNames?: string[] }[]);
    expect(rules.filter(({ resources }) => resources.includes("secrets"))).toEqual([]);
    expect(rules.filter(({ verbs }) => verbs.includes("*"))).toEqual([]);
    const changed = rules.filter(({ resources, verbs }) => resources.includes("configmaps") && verbs.includes("patch"));
    expect(changed.map(({ resourceNames }) => resourceNames)).toEqual([["istio-ca-root-cert"]]);
    const readers = objectsOf({}).filter(
      ({ kind, metadata }) => kind === "RoleBinding" && metadata.name === "istio-ingressgateway-secrets",
    );
    expect(readers).toMatchObject([
      { subjects: [{ kind: "ServiceAccount", name: "istiod", namespace: "istio-system" }] },
    ]);
  });

  it("has the webhook configurations that controlplane/webhooks knows", () => {
    const policies = { injectionFailurePolicy: "Fail", reinvocationPolicy: "Never" } as const;
    const labels = { "app.kubernetes.io/part-of": "scrim" };
    for (const revision of ["", "canary"])
      for (const namespace of ["istio-system", "mesh"])
        for (const enableNamespacesByDefault of [false, true])
          for (const tags of [[], ["prod"], ["default", "prod"]]) {
            const values = { revision, namespace, enableNamespacesByDefault, ...policies, labels };
            const expected = [
              injectorConfiguration(values),
              ...tags.map((tag) => tagConfiguration(tag, values)),
              validatorConfiguration(values, revision === "" || tags.includes("default")),
            ];
            const given = { revision, revisionTags: tags, sidecarInjectorWebhook: { enableNamespacesByDefault } };
            if (revision === "" && tags.includes("default")) continue;
            const objects = objectsOf({ profile: "minimal", ...given }, namespace);
            expect(objects.filter(({ kind }) => kind.endsWith("WebhookConfiguration"))).toEqual(expected);
          }
  });

  it("has gateways by name, each with what the whole says of images", () => {
    const values = {
      global: { imagePullPolicy: "Never" },
      gateways: {
        "istio-ingressgateway": { enabled: false },
        "istio-egressgateway": { service: { type: "ClusterIP" }, namespace: "edge" },
      },
    };
    const objects = objectsOf(values);
    expect(named(objects, "Deployment", "istio-ingressgateway")).toBeUndefined();
    expect(named(objects, "Service", "istio-egressgateway")).toMatchObject({
      metadata: { namespace: "edge" },
      spec: { type: "ClusterIP", selector: { app: "istio-egressgateway", istio: "egressgateway" } },
    });
    expect(named(objects, "RoleBinding", "istio-egressgateway-secrets")).toMatchObject({
      metadata: { namespace: "edge" },
      subjects: [{ namespace: "istio-system" }],
    });
    expect(named(objects, "Deployment", "istio-egressgateway")).toMatchObject({
      spec: { template: { spec: { containers: [{ imagePullPolicy: "Never" }] } } },
    });
  });

  it("of the profile remote is a Service that leads to the other cluster, and no control plane", () => {
    const objects = objectsOf({ profile: "remote", ...REMOTE });
    expect(named(objects, "EndpointSlice", "istiod")).toMatchObject({ endpoints: [{ addresses: ["192.0.2.1"] }] });
    expect(objects.filter(({ kind }) => kind === "Deployment")).toEqual([]);
    expect(fault({ profile: "remote" })).toContain("global.remotePilotAddress");
  });

  it.each([
    [{ profile: "huge" }, "there is no profile huge: write default, demo, minimal, remote"],
    [{ pilot: { replicas: 2 } }, "pilot.replicas: there is no such value"],
    [{ pilot: { replicaCount: "two" } }, "pilot.replicaCount: must be integer"],
    [
      { global: { imagePullPolicy: "Sometimes" } },
      "global.imagePullPolicy: must be equal to one of the allowed values: Always, IfNotPresent, Never",
    ],
    [
      { revision: "Canary!" },
      "revision: must be of lower-case letters, digits and hyphens between them, as in canary-1",
    ],
    [{ global: { hub: "a b" } }, "global.hub: must be without white space, quotes, backslashes and braces"],
    [{ gateways: { edge: { service: { kind: "NodePort" } } } }, "gateways.edge.service.kind: there is no such value"],
  ])("is refused of %o, by name", (values, message) => expect(fault(values)).toContain(message));
});

it("says nothing to injection, unless somebody did, but what injection takes by itself", () => {
  const values = named(objectsOf({}), "ConfigMap", "istio-sidecar-injector")?.["data"] as { values: string };
  const { resources: _, ...read } = injectionValues(JSON.parse(values.values), SCRIM_VERSION);
  const { resources: __, ...byDefault } = injectionValues({ global: { hub: "docker.io/scrim" } }, SCRIM_VERSION);
  expect(read).toEqual({ ...byDefault, imagePullPolicy: "IfNotPresent" });
});
