// Files that are named for a proxy to open: only the proxy knows whether they are there, but not every text names one.
import { isAbsolute } from "node:path";
import type { FieldPath } from "../model/document.ts";
import type { Findings } from "./violation.ts";

/** Reports a path that cannot name a file, and one of which nobody knows where it begins; `word` stands for no file. */
export function checkFile(path: string | undefined, at: FieldPath, findings: Findings, word?: string): void {
  if (path === undefined || path === "" || path === word) return;
  if (path.trim() === "") findings.error(at, "must name a file");
  else if (/[\r\n]/.test(path)) findings.error(at, "must name a file: no path has a line break");
  else if (!isAbsolute(path)) findings.warn(at, "is looked for where the proxy was started: write a path from /");
}
