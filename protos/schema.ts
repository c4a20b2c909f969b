// The reflected Envoy API: field tables for the codec, built when a type is first used.
import protobuf from "protobufjs/light.js";
import { descriptor } from "./build/envoy-descriptor.mjs";
import type { MessageByName } from "./build/envoy.ts";

export type MessageName = keyof MessageByName;

/** How a value of a field is converted between our form and protobufjs's. */
export type ValueKind =
  | { readonly kind: "plain" }
  | { readonly kind: "long"; readonly unsigned: boolean }
  | {
      readonly kind: "enum";
      readonly values: Readonly<Record<string, number>>;
      readonly names: Readonly<Record<number, string>>;
    }
  | { readonly kind: "message"; readonly type: protobuf.Type };

export interface FieldPlan {
  readonly name: string;
  readonly shape: "single" | "list" | "map";
  readonly value: ValueKind;
  readonly scalar: string;
  readonly oneof: string | undefined;
}

const root = protobuf.Root.fromJSON(descriptor.root as protobuf.INamespace).resolveAll();
const nameByFullName = new Map(
  Object.entries(descriptor.names).map(([name, fullName]) => [fullName, name as MessageName]),
);
const typeByName = new Map<MessageName, protobuf.Type>();
const fullNames = new WeakMap<protobuf.Type, string>();
const plans = new WeakMap<protobuf.Type, ReadonlyMap<string, FieldPlan>>();

const LONG = /^(u?int64|s?fixed64|sint64)$/;

/** The reflected type of a message name; throws for a name the built API does not have. */
export function typeOf(name: MessageName): protobuf.Type {
  const known = typeByName.get(name);
  if (known !== undefined) return known;
  const fullName = descriptor.names[name];
  if (fullName === undefined)
    throw new Error(`the built Envoy API has no message ${name}: add it to protos/roots.json`);
  const type = root.lookupType(fullName);
  typeByName.set(name, type);
  return type;
}

/**
 * The full name of a type with its leading dot, as in `.google.protobuf.Any`. The library puts it together anew each
 * time it is asked.
 */
export function fullNameOf(type: protobuf.Type): string {
  let name = fullNames.get(type);
  if (name === undefined) fullNames.set(type, (name = type.fullName));
  return name;
}

/** The type URL of a message, as in `type.googleapis.com/envoy.config.cluster.v3.Cluster`. */
export function typeUrlOf(name: MessageName): string {
  return `type.googleapis.com/${descriptor.names[name]}`;
}

/** The message name of a type URL; undefined where the built API does not have it. */
export function nameOfTypeUrl(typeUrl: string): MessageName | undefined {
  return nameByFullName.get(typeUrl.slice(typeUrl.lastIndexOf("/") + 1));
}

/** The fields of a type by their camelCase name. */
export function fieldsOf(type: protobuf.Type): ReadonlyMap<string, FieldPlan> {
  let plan = plans.get(type);
  if (plan === undefined) {
    plan = new Map(type.fieldsArray.map((field) => [field.name, planField(field)]));
    plans.set(type, plan);
  }
  return plan;
}

function planField(field: protobuf.Field): FieldPlan {
  const { resolvedType } = field.resolve();
  const shape = field.map ? "map" : field.repeated ? "list" : "single";
  return {
    name: field.name,
    shape,
    value: planValue(field.type, resolvedType),
    scalar: field.type,
    oneof: field.partOf?.name,
  };
}

function planValue(type: string, resolved: protobuf.Type | protobuf.Enum | null): ValueKind {
  if (resolved instanceof protobuf.Type) return { kind: "message", type: resolved };
  if (resolved instanceof protobuf.Enum) return { kind: "enum", values: resolved.values, names: resolved.valuesById };
  return LONG.test(type) ? { kind: "long", unsigned: type.startsWith("u") || type.startsWith("f") } : { kind: "plain" };
}
