// Consumes: an object of Kubernetes, as a document has it.
// Produces: the same with every pod template in it injected, and what is to be said of each.
// Never does: change an object that makes no pods.
import { isJsonObject } from "../model/json-object.ts";
import { injectPod, type InjectionContext } from "./inject.ts";
import { readPod, writePod } from "./pod.ts";

/** What became of one object. */
export interface InjectedDocument {
  readonly value: unknown;
  readonly notes: readonly Note[];
}

/** `left` and `warning` are for people to know; `failed`: nothing of the document is to be used. */
export interface Note {
  readonly kind: "left" | "warning" | "failed";
  /** As in `Deployment shop/web`. */
  readonly object: string;
  readonly message: string;
}

type Fields = Readonly<Record<string, unknown>>;

/** Where each kind has its pods' template; that of any other is looked for at `spec.template`. */
const templatePaths: Readonly<Record<string, readonly string[]>> = {
  Pod: [],
  PodTemplate: ["template"],
  CronJob: ["spec", "jobTemplate", "spec", "template"],
};

/** Kinds that have a template which is none of pods of their own, or may be none at all. */
const groupsOfPods = /^(v1|apps\/|batch\/|argoproj\.io\/|apps\.openshift\.io\/|apps\.kruise\.io\/)/;

/** Returns the object with its pods injected; `context` holds for pods whose document names no namespace itself. */
export function injectDocument(value: unknown, context: Omit<InjectionContext, "workload">): InjectedDocument {
  if (!isJsonObject(value)) return { value, notes: [] };
  if (value["kind"] === "List" && Array.isArray(value["items"])) {
    const items = value["items"].map((item) => injectDocument(item, context));
    return { value: { ...value, items: items.map((item) => item.value) }, notes: items.flatMap(({ notes }) => notes) };
  }
  const path = pathOf(value);
  const template = path?.reduce<unknown>((inside, name) => (isJsonObject(inside) ? inside[name] : undefined), value);
  if (path === undefined || template === undefined) return { value, notes: [] };
  return injectAt(value, path, template, context);
}

function pathOf({ apiVersion, kind }: Fields): readonly string[] | undefined {
  if (typeof kind !== "string" || typeof apiVersion !== "string" || !groupsOfPods.test(apiVersion)) return undefined;
  return Object.hasOwn(templatePaths, kind) ? templatePaths[kind] : ["spec", "template"];
}

function injectAt(value: Fields, path: readonly string[], template: unknown, context: InjectionContext) {
  const metadata = isJsonObject(value["metadata"]) ? value["metadata"] : {};
  const ofTemplate = isJsonObject(template) && isJsonObject(template["metadata"]) ? template["metadata"] : {};
  const namespace = textOf(ofTemplate["namespace"]) ?? textOf(metadata["namespace"]) ?? context.namespace;
  const name = textOf(metadata["name"]) ?? textOf(metadata["generateName"]) ?? "";
  const object = `${String(value["kind"])} ${namespace}/${name}`;
  const note = (kind: Note["kind"], message: string): Note => ({ kind, object, message });
  const pod = readPod(template);
  if ("kind" in pod) return { value, notes: [note("failed", pod.message)] };
  const injected = injectPod(pod, { ...context, namespace, workload: name.replace(/-$/, "") });
  if (injected.kind === "left") return { value, notes: [note("left", `not injected: ${injected.reason}`)] };
  if (injected.kind === "failed") return { value, notes: [note("failed", injected.message)] };
  return {
    value: replaceAt(value, path, { ...(template as Fields), ...writePod(injected.pod) }),
    notes: injected.warnings.map((warning) => note("warning", warning)),
  };
}

function replaceAt(value: unknown, [name, ...path]: readonly string[], replacement: unknown): unknown {
  if (name === undefined) return replacement;
  const fields = isJsonObject(value) ? value : {};
  return { ...fields, [name]: replaceAt(fields[name], path, replacement) };
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
