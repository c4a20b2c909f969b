// Labels as a part of what answers are kept by.
import type { Labels } from "../model/labels.ts";
import { memoized } from "./memo.ts";

/** Returns labels as text that is equal exactly when they are. */
export const labelsKey = memoized((labels: Labels): string =>
  JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))),
);
