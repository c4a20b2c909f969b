export function hashInputs(root: string, paths: readonly string[]): Promise<string>;
export function readStamp(path: string): Promise<string>;
export function writeStamp(path: string, text: string): Promise<void>;
