// Consumes: an object of Kubernetes, as a document has it.
// Produces: the same with every pod template in it injected, and what is to be said of each.
// Never does: change an object that makes no pods.
import { type FieldPath, formatPath } from "../model/document.ts";
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
  /** Its place in the document: the items of a List have one each. */
  readonly at: FieldPath;
  /** As in `Deployment shop/web`; of what has no kind its place, "" for the document itself. */
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
export function injectDocument(
  value: unknown,
  context: Omit<InjectionContext, "workload">,
  at: FieldPath = [],
): InjectedDocument {
  const broken = (message: string): InjectedDocument => ({
    value,
    notes: [{ kind: "failed", at, object: formatPath(at), message: `is no object of Kubernetes: ${message}` }],
  });
  if (!isJsonObject(value)) return broken("it must be a map with apiVersion and kind");
  for (const field of ["apiVersion", "kind"])
    if (textOf(value[field]) === undefined) return broken(`it has no ${field}`);
  if (value["kind"] === "List") {
    const items: unknown = value["items"] ?? [];
    if (!Array.isArray(items)) return broken("a List's items must be a list");
    const injected = items.map((item, index) => injectDocument(item, context, [...at, "items", index]));
    const isSame = injected.every((item, index) => item.value === items[index]);
    return {
      value: isSame ? value : { ...value, items: injected.map((item) => item.value) },
      notes: injected.flatMap(({ notes }) => notes),
    };
  }
  const path = pathOf(value);
  const template = path?.reduce<unknown>((inside, name) => (isJsonObject(inside) ? inside[name] : undefined), value);
  if (path === undefined || template === undefined) return { value, notes: [] };
  return injectAt({ value, at }, path, template, context);
}

function pathOf({ apiVersion, kind }: Fields): readonly string[] | undefined {
  if (typeof kind !== "string" || typeof apiVersion !== "string" || !groupsOfPods.test(apiVersion)) return undefined;
  return Object.hasOwn(templatePaths, kind) ? templatePaths[kind] : ["spec", "template"];
}

function injectAt(
  { value, at }: { readonly value: Fields; readonly at: FieldPath },
  path: readonly string[],
  template: unknown,
  context: InjectionContext,
): InjectedDocument {
  const metadata = isJsonObject(value["metadata"]) ? value["metadata"] : {};
  const ofTemplate = isJsonObject(template) && isJsonObject(template["metadata"]) ? template["metadata"] : {};
  const namespace = textOf(ofTemplate["namespace"]) ?? textOf(metadata["namespace"]) ?? context.namespace;
  const name = textOf(metadata["name"]) ?? textOf(metadata["generateName"]) ?? "";
  const object = `${String(value["kind"])} ${namespace}/${name}`;
  const note = (kind: Note["kind"], message: string): Note => ({ kind, at, object, message });
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
