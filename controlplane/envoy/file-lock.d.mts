export function withFileLock<T>(path: string, report: (line: string) => void, work: () => Promise<T>): Promise<T>;
