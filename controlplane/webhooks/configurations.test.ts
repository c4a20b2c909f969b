import { describe, expect, it } from "vitest";
import { type RevisionNames, whetherSelected } from "../injector/who-is-injected.ts";
import { injectorConfiguration, tagConfiguration, validatorConfiguration } from "./configurations.ts";

interface Expression {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}
interface Webhook {
  readonly name: string;
  readonly failurePolicy: string;
  readonly clientConfig: { readonly service: object };
  readonly rules: readonly { readonly apiGroups: readonly string[] }[];
  readonly namespaceSelector: { readonly matchExpressions: readonly Expression[] };
  readonly objectSelector: { readonly matchExpressions: readonly Expression[] };
}
type Labels = Readonly<Record<string, string>>;

const webhooksOf = (configuration: object) => (configuration as { webhooks: readonly Webhook[] }).webhooks;

/** As an API server does. */
function selects({ matchExpressions }: Webhook["objectSelector"], labels: Labels): boolean {
  return matchExpressions.every(({ key, operator, values = [] }) => {
    const value = labels[key];
    if (operator === "In") return value !== undefined && values.includes(value);
    if (operator === "NotIn") return value === undefined || !values.includes(value);
    return operator === "DoesNotExist" ? value === undefined : value !== undefined;
  });
}

/** All ways in which these labels may be there or not. */
function everyLabels(values: Readonly<Record<string, readonly (string | undefined)[]>>): readonly Labels[] {
  return Object.entries(values).reduce<readonly Labels[]>(
    (all, [key, choices]) =>
      all.flatMap((labels) => choices.map((value) => (value === undefined ? labels : { ...labels, [key]: value }))),
    [{}],
  );
}

const namespaces = everyLabels({
  "istio-injection": [undefined, "enabled", "disabled", ""],
  "istio.io/rev": [undefined, "default", "canary", "prod", "other"],
});
const pods = everyLabels({
  "sidecar.istio.io/inject": [undefined, "true", "false", "perhaps"],
  "istio.io/rev": [undefined, "default", "canary", "prod", "other"],
});

describe("the webhook configurations of a revision and its tags", () => {
  it.each<[RevisionNames]>([
    [{ revision: "", tags: [], enableNamespacesByDefault: false }],
    [{ revision: "", tags: ["prod"], enableNamespacesByDefault: true }],
    [{ revision: "canary", tags: [], enableNamespacesByDefault: false }],
    [{ revision: "canary", tags: ["prod", "default"], enableNamespacesByDefault: false }],
  ])("bring exactly those pods whom the labels give to it, each once: %o", (names) => {
    const values = { ...names, namespace: "istio-system" };
    const all = [injectorConfiguration(values), ...names.tags.map((tag) => tagConfiguration(tag, values))];
    const webhooks = all.flatMap(webhooksOf);
    for (const namespaceLabels of namespaces)
      for (const labels of pods) {
        const brought = webhooks.filter(
          ({ namespaceSelector, objectSelector }) =>
            selects(namespaceSelector, { ...namespaceLabels, "kubernetes.io/metadata.name": "shop" }) &&
            selects(objectSelector, labels),
        );
        const pod = { namespace: "shop", labels, annotations: {}, hostNetwork: false };
        const { kind } = whetherSelected(pod, namespaceLabels, names);
        expect([namespaceLabels, labels, brought.length]).toEqual([
          namespaceLabels,
          labels,
          kind === "injected" ? 1 : 0,
        ]);
      }
  });

  it("never ask for pods of Kubernetes' own namespaces", () => {
    const webhooks = webhooksOf(injectorConfiguration({ revision: "", namespace: "istio-system" }));
    const labels = { "istio-injection": "enabled", "kubernetes.io/metadata.name": "kube-system" };
    expect(webhooks.filter(({ namespaceSelector }) => selects(namespaceSelector, labels))).toEqual([]);
  });

  it("lead to the Service of the revision, and refuse pods while nobody answers unless told otherwise", () => {
    const values = { revision: "canary", namespace: "mesh" };
    expect(injectorConfiguration(values)).toMatchObject({
      metadata: { name: "istio-sidecar-injector-canary-mesh", labels: { "istio.io/rev": "canary" } },
    });
    for (const { clientConfig, failurePolicy } of webhooksOf(injectorConfiguration(values))) {
      expect(clientConfig.service).toEqual({ name: "istiod-canary", namespace: "mesh", path: "/inject", port: 443 });
      expect(failurePolicy).toBe("Fail");
    }
    const lenient = injectorConfiguration({ ...values, injectionFailurePolicy: "Ignore" });
    expect(webhooksOf(lenient)[0]?.failurePolicy).toBe("Ignore");
    expect(tagConfiguration("prod", { ...values, namespace: "istio-system" })).toMatchObject({
      metadata: { name: "istio-revision-tag-prod", labels: { "istio.io/tag": "prod", "istio.io/rev": "canary" } },
    });
  });
});

describe("the validating configuration", () => {
  const selected = (configuration: object, labels: Labels) =>
    webhooksOf(configuration).filter(({ objectSelector }) => selects(objectSelector, labels)).length;

  it("asks about the mesh's kinds: Istio's groups and ours", () => {
    const configuration = validatorConfiguration({ revision: "", namespace: "istio-system" });
    expect(configuration).toMatchObject({ metadata: { name: "istio-validator-istio-system" } });
    expect(webhooksOf(configuration)[0]?.rules[0]?.apiGroups).toEqual([
      ...["config.istio.io", "extensions.istio.io", "networking.istio.io", "policy.scrim.mesh", "security.istio.io"],
      "telemetry.istio.io",
    ]);
  });

  it("leaves each object to one revision: its own, or the default one", () => {
    const ofDefault = validatorConfiguration({ revision: "", namespace: "istio-system" });
    const ofCanary = validatorConfiguration({ revision: "canary", namespace: "istio-system" });
    for (const [labels, byDefault, byCanary] of [
      [{}, 1, 0],
      [{ "istio.io/rev": "default" }, 1, 0],
      [{ "istio.io/rev": "canary" }, 0, 1],
      [{ "istio.io/rev": "other" }, 0, 0],
    ] as const)
      expect([selected(ofDefault, labels), selected(ofCanary, labels)]).toEqual([byDefault, byCanary]);
  });
});
