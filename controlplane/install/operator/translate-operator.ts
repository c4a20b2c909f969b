// Consumes: an IstioOperator's spec, or values in Istio's or our own names.
// Produces: our values, and the paths of what has no meaning here.
// Never does: judge the values: the schemas do.
import type { FieldPath } from "../../model/document.ts";
import { isJsonObject } from "../../model/json-object.ts";
import { assign } from "../values/assignment.ts";
import { controlPlaneValues } from "../values/control-plane-values.ts";
import type { Values } from "../values/words.ts";
import { gatewayRules, type Rule, specRules, withoutMeaning } from "./operator-rules.ts";

/** What settings come to. */
export interface Translated {
  readonly values: Values;
  /** Where settings stand that nothing follows from. */
  readonly ignored: readonly FieldPath[];
}

const OURS: ReadonlySet<string> = new Set([...Object.keys(controlPlaneValues.properties), "gateways", "profile"]);
const LISTS = ["ingressGateways", "egressGateways"] as const;

/** Returns our values of settings in whatever names: Istio's stand below values and components, and at the top. */
export function translateOperator(spec: Values): Translated {
  const own = Object.entries(spec).filter(([name]) => OURS.has(name));
  const foreign = Object.fromEntries(Object.entries(spec).filter(([name]) => !OURS.has(name)));
  const draft = { values: Object.fromEntries(own), ignored: [] as FieldPath[] };
  walk(withoutGateways(foreign), { rules: specRules, at: [], under: [] }, draft);
  const { values: inValues, components } = foreign;
  if (isJsonObject(inValues) && isJsonObject(inValues["gateways"]))
    for (const [name, gateway] of Object.entries(inValues["gateways"]))
      walk(gateway, { rules: gatewayRules, at: ["values", "gateways", name], under: ["gateways", name] }, draft);
  if (isJsonObject(components)) for (const list of LISTS) walkList(list, components[list], draft);
  return draft;
}

/** A part of a spec that is being gone through: where it stands, and where its values go. */
interface Part {
  readonly rules: readonly Rule[];
  readonly at: FieldPath;
  readonly under: readonly string[];
}

type Draft = { values: Values; ignored: FieldPath[] };

function walkList(list: (typeof LISTS)[number], items: unknown, draft: Draft): void {
  if (!Array.isArray(items)) return;
  for (const [index, item] of items.entries()) {
    if (!isJsonObject(item)) continue;
    const { name, ...rest } = item;
    const called =
      typeof name === "string" ? name : list === "egressGateways" ? "istio-egressgateway" : "istio-ingressgateway";
    const under = ["gateways", called];
    // Without a word about it a gateway for what goes out is none that the world is let in by.
    if (list === "egressGateways")
      draft.values = assign(draft.values, { path: [...under, "service", "type"], value: "ClusterIP" });
    walk(rest, { rules: gatewayRules, at: ["components", list, index], under }, draft);
  }
}

function walk(value: unknown, { rules, at, under }: Part, draft: Draft, names: readonly string[] = []): void {
  const path = names.join(".");
  const rule = rules.find(([from]) => from === path);
  if (rule !== undefined) {
    const to = [...under, ...rule[1].split(".")];
    draft.values = assign(draft.values, { path: to, value: asOurs(to, value) });
    return;
  }
  const isOnTheWay =
    names.length === 0 ||
    rules.some(([from]) => from.startsWith(`${path}.`)) ||
    withoutMeaning.some((known) => known.startsWith(`${path}.`));
  if (isOnTheWay && isJsonObject(value))
    for (const [name, inner] of Object.entries(value)) walk(inner, { rules, at, under }, draft, [...names, name]);
  else if (value === false || !withoutMeaning.includes([...at, ...names].join(".")))
    draft.ignored.push([...at, ...names]);
}

/** Variables of an environment are texts by name here, and a tag is one, be it all of digits. */
function asOurs(to: readonly string[], value: unknown): unknown {
  if (to.at(-1) === "tag" && typeof value === "number") return String(value);
  if (to.at(-1) !== "env") return value;
  const entries: readonly (readonly [unknown, unknown])[] = Array.isArray(value)
    ? value.filter(isJsonObject).map(({ name, value: inner }) => [name, inner])
    : Object.entries(isJsonObject(value) ? value : {});
  return Object.fromEntries(entries.map(([name, inner]) => [String(name), String(inner ?? "")]));
}

function withoutGateways(spec: Values): Values {
  const { values, components, ...rest } = spec;
  const without = (map: unknown, names: readonly string[]) =>
    isJsonObject(map) ? Object.fromEntries(Object.entries(map).filter(([name]) => !names.includes(name))) : map;
  return {
    ...rest,
    ...(values !== undefined && { values: without(values, ["gateways"]) }),
    ...(components !== undefined && { components: without(components, LISTS) }),
  };
}
