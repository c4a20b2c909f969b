// Consumes: a revision of the control plane, and the tags that mean it.
// Produces: the webhook configurations by which an API server asks it, as objects of admissionregistration.k8s.io/v1.
// Never does: know a certificate: the control plane writes its own (caBundle) once it serves.
import { DEFAULT_REVISION, SYSTEM_NAMESPACES } from "../injector/who-is-injected.ts";
import { allKinds, kindDefinitions } from "../model/kinds.ts";

/** What the configurations depend on. */
export interface WebhookValues {
  /** "" for the one without a name. */
  readonly revision: string;
  /** Where the control plane is, as in `istio-system`. */
  readonly namespace: string;
  /** Whether namespaces without any label are injected as well (values: `enableNamespacesByDefault`). */
  readonly enableNamespacesByDefault?: boolean;
  /** What becomes of pods while nobody answers: refused (the default), or started without a proxy. */
  readonly injectionFailurePolicy?: "Fail" | "Ignore";
  /** IfNeeded: again after webhooks that changed the pod once more. Never by default, as in Istio. */
  readonly reinvocationPolicy?: "Never" | "IfNeeded";
  readonly labels?: Readonly<Record<string, string>>;
}

type Expression = {
  readonly key: string;
  readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
  readonly values?: readonly string[];
};

export const INJECT_PATH = "/inject";
export const VALIDATE_PATH = "/validate";
/** The Service's port; it leads to the container's WEBHOOK_PORT. */
export const WEBHOOK_SERVICE_PORT = 443;
export const WEBHOOK_PORT = 15_017;

const INJECT = "sidecar.istio.io/inject";
const REVISION = "istio.io/rev";
const INJECTION = "istio-injection";
const NAMESPACE_NAME = "kubernetes.io/metadata.name";

const isIn = (key: string, ...values: readonly string[]): Expression => ({ key, operator: "In", values });
const notIn = (key: string, ...values: readonly string[]): Expression => ({ key, operator: "NotIn", values });
const without = (key: string): Expression => ({ key, operator: "DoesNotExist" });

/** Returns the name of the Service, and of what else there is once for each revision. */
export function serviceName(revision: string): string {
  return withRevision("istiod", revision);
}

/** Returns the name of the configuration that injects for this revision; other namespaces than Istio's own are in it. */
export function injectorName({ revision, namespace }: Pick<WebhookValues, "revision" | "namespace">): string {
  return inNamespace(withRevision("istio-sidecar-injector", revision), namespace);
}

/** Returns the name of the configuration that injects for a tag. */
export function tagInjectorName(tag: string, { namespace }: Pick<WebhookValues, "namespace">): string {
  return inNamespace(`istio-revision-tag-${tag}`, namespace);
}

/** Returns the name of the configuration that validates for this revision. */
export function validatorName({ revision, namespace }: Pick<WebhookValues, "revision" | "namespace">): string {
  return `${withRevision("istio-validator", revision)}-${namespace}`;
}

/** Returns the MutatingWebhookConfiguration of a revision; that without a name is the default one, too. */
export function injectorConfiguration(values: WebhookValues): object {
  const { revision } = values;
  return mutating(injectorName(values), values, {}, [
    ...ofRevision(revision || DEFAULT_REVISION),
    ...(revision === "" ? ofDefault(values) : []),
  ]);
}

/** Returns the MutatingWebhookConfiguration by which a tag means this revision. */
export function tagConfiguration(tag: string, values: WebhookValues): object {
  return mutating(tagInjectorName(tag, values), values, { "istio.io/tag": tag }, [
    ...ofRevision(tag),
    ...(tag === DEFAULT_REVISION ? ofDefault(values) : []),
  ]);
}

/**
 * Returns the ValidatingWebhookConfiguration: of objects of this revision, and of those of none where it is the default.
 * Until the control plane serves they are let through; it says Fail itself when it writes its certificate.
 */
export function validatorConfiguration(values: WebhookValues, isDefault = values.revision === ""): object {
  const { revision } = values;
  const webhook = (name: string, expression: Expression) => ({
    name,
    clientConfig: { service: serviceAt(values, VALIDATE_PATH) },
    rules: [{ operations: ["CREATE", "UPDATE"], apiGroups: ourGroups, apiVersions: ["*"], resources: ["*"] }],
    failurePolicy: "Ignore",
    sideEffects: "None",
    admissionReviewVersions: ["v1"],
    objectSelector: { matchExpressions: [expression] },
  });
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: { name: validatorName(values), labels: labelsOf(values, "istiod") },
    webhooks: [
      webhook("rev.validation.istio.io", isIn(REVISION, revision || DEFAULT_REVISION)),
      ...(isDefault ? [webhook("validation.istio.io", without(REVISION))] : []),
    ],
  };
}

/** The API groups of the mesh's own kinds. Kubernetes' kinds are its own to judge. */
const ourGroups: readonly string[] = [
  ...new Set(
    allKinds
      .flatMap((kind) => kindDefinitions[kind].apiVersions.map((version) => version.split("/")[0] ?? ""))
      .filter((group) => /(^|\.)(istio\.io|scrim\.mesh)$/.test(group)),
  ),
].sort();

function mutating(
  name: string,
  values: WebhookValues,
  labels: Readonly<Record<string, string>>,
  selectors: readonly Selectors[],
): object {
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "MutatingWebhookConfiguration",
    metadata: { name, labels: { ...labelsOf(values, "sidecar-injector"), ...labels } },
    webhooks: selectors.map(({ prefix, namespaces, pods }) => ({
      name: `${prefix}.sidecar-injector.istio.io`,
      clientConfig: { service: serviceAt(values, INJECT_PATH) },
      rules: [{ operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["pods"] }],
      failurePolicy: values.injectionFailurePolicy ?? "Fail",
      reinvocationPolicy: values.reinvocationPolicy ?? "Never",
      sideEffects: "None",
      admissionReviewVersions: ["v1"],
      // A webhook that fails must not keep the cluster's own pods from starting: they may be what it needs.
      namespaceSelector: { matchExpressions: [...namespaces, notIn(NAMESPACE_NAME, ...SYSTEM_NAMESPACES)] },
      objectSelector: { matchExpressions: pods },
    })),
  };
}

/** Which pods one webhook is asked about. No pod is selected by two. */
interface Selectors {
  readonly prefix: string;
  readonly namespaces: readonly Expression[];
  readonly pods: readonly Expression[];
}

/** Who names the revision (or a tag): the namespace, else the pod. */
function ofRevision(name: string): readonly Selectors[] {
  const notRefused = notIn(INJECT, "false");
  return [
    { prefix: "rev.namespace", namespaces: [isIn(REVISION, name), without(INJECTION)], pods: [notRefused] },
    {
      prefix: "rev.object",
      namespaces: [without(REVISION), without(INJECTION)],
      pods: [notRefused, isIn(REVISION, name)],
    },
  ];
}

/** Who asks for injection without saying by whom. */
function ofDefault({ enableNamespacesByDefault = false }: WebhookValues): readonly Selectors[] {
  const unlabelled = [without(INJECTION), without(REVISION)];
  return [
    { prefix: "namespace", namespaces: [isIn(INJECTION, "enabled")], pods: [notIn(INJECT, "false")] },
    { prefix: "object", namespaces: unlabelled, pods: [isIn(INJECT, "true"), without(REVISION)] },
    ...(enableNamespacesByDefault
      ? [{ prefix: "auto", namespaces: unlabelled, pods: [without(INJECT), without(REVISION)] }]
      : []),
  ];
}

function serviceAt({ revision, namespace }: WebhookValues, path: string) {
  return { name: serviceName(revision), namespace, path, port: WEBHOOK_SERVICE_PORT };
}

function labelsOf({ revision, labels }: WebhookValues, app: string) {
  return { app, [REVISION]: revision || DEFAULT_REVISION, ...labels };
}

function withRevision(name: string, revision: string): string {
  return revision === "" ? name : `${name}-${revision}`;
}

function inNamespace(name: string, namespace: string): string {
  return namespace === "istio-system" ? name : `${name}-${namespace}`;
}
