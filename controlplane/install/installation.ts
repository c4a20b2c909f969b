// Consumes: values, as people say them, and a namespace.
// Produces: every object of an installation in the order in which they are made, or what is wrong with the values.
// Never does: speak with a cluster.
import { Ajv, type ErrorObject } from "ajv";
import { type Failure, failed } from "../model/failure.ts";
import { isJsonObject } from "../model/json-object.ts";
import { customResourceDefinitions } from "./crds/custom-resource-definitions.ts";
import { type KubernetesObject, renderObjects } from "./description/render.ts";
import { configMaps } from "./manifests/config-maps.ts";
import { controlPlane } from "./manifests/control-plane.ts";
import { gateway } from "./manifests/gateway.ts";
import { accessRights } from "./manifests/roles.ts";
import { webhooks } from "./manifests/webhooks.ts";
import { controlPlaneValues } from "./values/control-plane-values.ts";
import { gatewayValues } from "./values/gateway-values.ts";
import { isProfileName, type Profile, profileNames, profiles } from "./values/profiles.ts";
import { defaultsOf, mergeValues, patternWords, type Values } from "./values/words.ts";

/** Objects that are made together. */
export interface Step {
  readonly title: string;
  readonly objects: readonly KubernetesObject[];
}

/** An installation: what is made, step after step. Of the control plane there is none where another cluster has it. */
export interface Installation {
  readonly kind: "installation";
  readonly namespace: string;
  readonly revision: string;
  readonly steps: readonly Step[];
}

/**
 * Returns the installation that these values mean: the profile's over the defaults, and what is given over that.
 * `profile` and `gateways` (values of a gateway's chart by name; `enabled: false` takes one away) stand beside the
 * values of the control plane's chart.
 */
export function describeInstallation(given: Values, namespace: string): Installation | Failure<"invalid-values"> {
  const { profile = "default", gateways = {}, ...rest } = given;
  if (!isProfileName(profile))
    return failed("invalid-values", `there is no profile ${String(profile)}: write ${profileNames.join(", ")}`);
  const chosen: Profile = profiles[profile];
  const values = mergeValues(mergeValues(defaultsOf(controlPlaneValues), chosen.controlPlane), rest);
  const fault = faultOf(controlPlaneValues, values, "");
  if (fault !== undefined) return failed("invalid-values", fault);
  if (profile === "remote" && !isJsonObjectWith(values["global"], "remotePilotAddress"))
    return failed(
      "invalid-values",
      "the profile remote needs global.remotePilotAddress, the other cluster's control plane",
    );
  const gatewaySteps = stepsOfGateways(values, { chosen, given: gateways, namespace });
  if ("kind" in gatewaySteps) return gatewaySteps;
  const scope = { values, namespace };
  return {
    kind: "installation",
    namespace,
    revision: String(values["revision"]),
    steps: [
      {
        title: "Definitions of custom resources",
        objects: customResourceDefinitions() as unknown as KubernetesObject[],
      },
      { title: "Access rights", objects: renderObjects(accessRights, scope) },
      { title: "Configuration", objects: renderObjects(configMaps, scope) },
      { title: "Control plane", objects: renderObjects(controlPlane, scope) },
      { title: "Webhooks", objects: renderObjects(webhooks, scope) },
      ...gatewaySteps,
    ],
  };
}

/** Returns the namespaces that an installation has objects in, its own first. */
export function namespacesOf({ steps, namespace }: Pick<Installation, "namespace" | "steps">): readonly string[] {
  const ofObjects = steps.flatMap(({ objects }) => objects.flatMap(({ metadata }) => metadata.namespace ?? []));
  return [...new Set([namespace, ...ofObjects])];
}

interface GatewayContext {
  readonly chosen: Profile;
  readonly given: unknown;
  readonly namespace: string;
}

function stepsOfGateways(
  values: Values,
  { chosen, given, namespace }: GatewayContext,
): readonly Step[] | Failure<"invalid-values"> {
  if (!isJsonObject(given)) return failed("invalid-values", "gateways: must be a map from names to values");
  const steps: Step[] = [];
  for (const [name, said] of Object.entries(mergeValues(chosen.gateways, given))) {
    if (!isJsonObject(said)) return failed("invalid-values", `gateways.${name}: must be a map of values`);
    const { enabled = true, namespace: own = namespace, ...over } = said;
    if (enabled === false) continue;
    const complete = mergeValues(inheritedBy(name, values, namespace), over);
    const fault = faultOf(gatewayValues, complete, `gateways.${name}.`);
    if (fault !== undefined) return failed("invalid-values", fault);
    steps.push({
      title: `Gateway ${name}`,
      objects: renderObjects(gateway, { values: complete, namespace: String(own) }),
    });
  }
  return steps;
}

/** Returns the values of a gateway that says nothing itself. */
function inheritedBy(name: string, { global, revision }: Values, istioNamespace: string): Values {
  const { imagePullPolicy, imagePullSecrets } = global as Values;
  return {
    ...defaultsOf(gatewayValues),
    ...{ name, istioLabel: name.replace(/^istio-/, ""), istioNamespace, revision, imagePullPolicy, imagePullSecrets },
  };
}

const ajv = new Ajv({ allErrors: true, strict: false });

/** Returns what is wrong with values in a sentence. */
function faultOf(schema: object, values: Values, prefix: string): string | undefined {
  const validate = ajv.compile(schema);
  if (validate(values)) return undefined;
  return validate.errors?.map((error) => describeFault(error, prefix)).join("; ");
}

function describeFault({ instancePath, keyword, params, message }: ErrorObject, prefix: string): string {
  const path = `${prefix}${instancePath.slice(1).replaceAll("/", ".")}`;
  const name = keyword === "additionalProperties" ? String(params["additionalProperty"]) : undefined;
  if (name !== undefined)
    return `${path === "" || path.endsWith(".") ? path : `${path}.`}${name}: there is no such value`;
  const choices = keyword === "enum" ? `: ${(params["allowedValues"] as readonly string[]).join(", ")}` : "";
  const words = keyword === "pattern" ? patternWords[String(params["pattern"])] : undefined;
  return `${path}: ${words ?? message ?? "is not right"}${choices}`;
}

function isJsonObjectWith(value: unknown, name: string): boolean {
  return isJsonObject(value) && Boolean(value[name]);
}
