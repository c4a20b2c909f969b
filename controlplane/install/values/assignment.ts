// `--set a.b=c`, as Helm's users know it.
import { type Failure, failed } from "../../model/failure.ts";
import { isJsonObject } from "../../model/json-object.ts";
import type { Values } from "./words.ts";

/** One value and where it goes. */
export interface Assignment {
  readonly kind: "assignment";
  readonly path: readonly string[];
  readonly value: unknown;
}

/**
 * Returns what `PATH=VALUE` assigns: true, false, null and whole numbers are such, `{a,b}` is a list, all else a text;
 * a dot behind a backslash belongs to a name, and `name[0]` is the first of a list.
 */
export function parseAssignment(text: string): Assignment | Failure<"usage"> {
  const equals = text.indexOf("=");
  if (equals <= 0) return failed("usage", `--set ${text}: write PATH=VALUE, as in pilot.replicaCount=2`);
  const path = [...text.slice(0, equals).matchAll(/((?:\\.|[^.\\[])+)(?:\[(\d+)\])?/g)].flatMap(
    ([, name = "", index]) => [name.replaceAll(/\\(.)/g, "$1"), ...(index === undefined ? [] : [index])],
  );
  const value = text.slice(equals + 1);
  return {
    kind: "assignment",
    path,
    value: value.startsWith("{") && value.endsWith("}") ? listOf(value) : typed(value),
  };
}

function listOf(text: string): readonly unknown[] {
  const inner = text.slice(1, -1);
  return inner === "" ? [] : inner.split(",").map(typed);
}

function typed(text: string): unknown {
  if (text === "true" || text === "false") return text === "true";
  if (text === "null") return null;
  return /^-?(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : text;
}

/** Returns the values with one more. */
export function assign(values: Values, { path, value }: Pick<Assignment, "path" | "value">): Values {
  return assigned(values, path, value) as Values;
}

function assigned(into: unknown, [name, ...rest]: readonly string[], value: unknown): unknown {
  if (name === undefined) return value;
  if (Array.isArray(into) || (/^\d+$/.test(name) && !isJsonObject(into))) {
    const list: unknown[] = Array.isArray(into) ? [...into] : [];
    list[Number(name)] = assigned(list[Number(name)], rest, value);
    return list;
  }
  const fields = isJsonObject(into) ? into : {};
  return { ...fields, [name]: assigned(fields[name], rest, value) };
}
