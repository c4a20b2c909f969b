export type FileLock =
  | { readonly kind: "locked"; readonly release: () => Promise<void> }
  /** `by`: the process that holds it. */
  | { readonly kind: "held"; readonly by: number };
export function takeFileLock(path: string, staleMs?: number): Promise<FileLock>;
export function withFileLock<T>(path: string, report: (line: string) => void, work: () => Promise<T>): Promise<T>;
