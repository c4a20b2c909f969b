// The kinds of resources that are distributed, and their messages.
import type { Secret } from "../../protos/build/envoy.ts";
import type { EmittedResources } from "../translate/emit/resources.ts";

/** The message type of each kind of resource; secrets belong to an identity, not to a class. */
export type ResourceMessages = {
  [Kind in keyof EmittedResources]: EmittedResources[Kind] extends ReadonlyMap<string, infer Message> ? Message : never;
} & { secrets: Secret };

export type ResourceKind = keyof ResourceMessages;
