import type { StructuralSchema } from "./structural-schema.ts";

const text = (description: string): StructuralSchema => ({ type: "string", description });
const time = (description: string): StructuralSchema => ({ type: "string", format: "date-time", description });
const generation: StructuralSchema = {
  description: "The generation of the object that is spoken of.",
  "x-kubernetes-int-or-string": true,
};

/**
 * The schema of every kind's status: conditions, each of which somebody owns by its type. What other control planes
 * write beside them is kept.
 */
export const statusSchema: StructuralSchema = {
  type: "object",
  description: "What became of the object: written by the control plane.",
  "x-kubernetes-preserve-unknown-fields": true,
  properties: {
    observedGeneration: generation,
    conditions: {
      type: "array",
      description: "Whether the object was accepted, and which proxies it has reached.",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["type"],
      items: {
        type: "object",
        required: ["type"],
        properties: {
          type: text("What is spoken of: Accepted, Distributed, Rejected."),
          status: text("True, False or Unknown."),
          reason: text("Why, in one word."),
          message: text("Why, in a sentence."),
          observedGeneration: generation,
          lastTransitionTime: time("Since when the status is what it is."),
          lastProbeTime: time("When it was looked at last."),
        },
      },
    },
  },
};
