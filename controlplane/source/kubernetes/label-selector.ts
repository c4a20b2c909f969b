// Kubernetes' LabelSelector (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/). Pure.
import { type Labels, labelsMatch } from "../../model/labels.ts";

export interface LabelSelector {
  readonly matchLabels?: Labels | undefined;
  readonly matchExpressions?:
    | readonly {
        readonly key: string;
        readonly operator?: string | undefined;
        readonly values?: readonly string[] | undefined;
      }[]
    | undefined;
}

/** Returns whether the selector selects what has these labels: all that it says must be so. */
export function isSelected({ matchLabels, matchExpressions = [] }: LabelSelector, labels: Labels): boolean {
  return (
    labelsMatch(matchLabels, labels) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
      if (operator === "In") return value !== undefined && values.includes(value);
      if (operator === "NotIn") return value === undefined || !values.includes(value);
      if (operator === "Exists") return value !== undefined;
      // What is not understood selects nothing.
      return operator === "DoesNotExist" && value === undefined;
    })
  );
}
