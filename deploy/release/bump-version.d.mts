export function nextVersion(current: string, asked: string): string | undefined;
export function releasedChangelog(text: string, version: string, day: string): string | undefined;
export function withVersion(text: string, version: string): string;
