// The webhook configurations of controlplane/webhooks, as descriptions: the function that knows them is called with
// stand-ins for what only values say.
import { isJsonObject } from "../../model/json-object.ts";
import { DEFAULT_REVISION } from "../../injector/who-is-injected.ts";
import {
  injectorConfiguration,
  injectorName,
  tagConfiguration,
  tagInjectorName,
  validatorConfiguration,
  type WebhookValues,
} from "../../webhooks/configurations.ts";
import { type Condition, type Description, each, unless, when } from "../description/description.ts";

const REVISION = "@revision@";
const NAMESPACE = "@namespace@";
const TAG = "@tag@";
/** Names say the namespace where it is not Istio's own. */
const DASH_NAMESPACE = "{-namespace}";
const isDefaultTag: Condition = { equals: ["tag", DEFAULT_REVISION] };

const standIns = {
  revision: REVISION,
  namespace: NAMESPACE,
  // Texts that the description language knows, and the function hands on.
  injectionFailurePolicy: "{sidecarInjectorWebhook.failurePolicy}" as WebhookValues["injectionFailurePolicy"] & string,
  reinvocationPolicy: "{sidecarInjectorWebhook.reinvocationPolicy}" as WebhookValues["reinvocationPolicy"] & string,
  labels: { "app.kubernetes.io/part-of": "scrim" },
} satisfies WebhookValues;

type Fields = { readonly [field: string]: Description };
interface Configuration extends Fields {
  readonly metadata: Fields;
  readonly webhooks: readonly Description[];
}

/** Returns a configuration in which the stand-ins are what the description language has for them. */
function described(configuration: object): Configuration {
  return spoken(configuration) as Configuration;
}

function spoken(value: unknown): Description {
  if (Array.isArray(value)) return value.map(spoken);
  if (isJsonObject(value))
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, spoken(inner)]));
  if (typeof value !== "string") return value as number | boolean;
  return value
    .replaceAll(`-${REVISION}`, "{-revision}")
    .replaceAll(REVISION, "{revision|default}")
    .replaceAll(NAMESPACE, "{namespace}")
    .replaceAll(TAG, "{tag}");
}

function named(configuration: Configuration, name: string): Configuration {
  return { ...configuration, metadata: { ...configuration.metadata, name: spoken(name) } };
}

/** Those of a configuration that are there for pods and namespaces that name no revision. */
function ofDefault(configuration: object): readonly Description[] {
  const { webhooks } = described(configuration);
  return webhooks
    .filter((webhook) => !String((webhook as Fields)["name"]).startsWith("rev."))
    .map((webhook) =>
      String((webhook as Fields)["name"]).startsWith("auto.")
        ? when("sidecarInjectorWebhook.enableNamespacesByDefault", webhook)
        : webhook,
    );
}

const everything = { ...standIns, enableNamespacesByDefault: true };
const IN_ISTIOS_NAMESPACE = { revision: REVISION, namespace: "istio-system" };

function injector(): Description {
  const configuration = named(
    described(injectorConfiguration(standIns)),
    `${injectorName(IN_ISTIOS_NAMESPACE)}${DASH_NAMESPACE}`,
  );
  const more = ofDefault(injectorConfiguration({ ...everything, revision: "" }));
  return {
    ...configuration,
    webhooks: [...configuration.webhooks, ...more.map((webhook) => unless("revision", webhook))],
  };
}

function tagInjector(): Description {
  const configuration = named(
    described(tagConfiguration(TAG, standIns)),
    `${tagInjectorName(TAG, IN_ISTIOS_NAMESPACE)}${DASH_NAMESPACE}`,
  );
  const more = ofDefault(tagConfiguration(DEFAULT_REVISION, everything));
  return {
    ...configuration,
    webhooks: [...configuration.webhooks, ...more.map((webhook) => when(isDefaultTag, webhook))],
  };
}

function validator(): Description {
  const configuration = described(validatorConfiguration(standIns, false));
  const [webhook = ""] = described(validatorConfiguration(standIns, true)).webhooks.slice(1);
  return {
    ...configuration,
    webhooks: [
      ...configuration.webhooks,
      unless("revision", webhook),
      each("revisionTags", "tag", when(isDefaultTag, webhook)),
    ],
  };
}

/** By which an API server asks the control plane: the last that an installation makes, and the first that goes. */
export const webhooks: readonly Description[] = [injector(), each("revisionTags", "tag", tagInjector()), validator()];
