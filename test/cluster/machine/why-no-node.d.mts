export function endedPrograms(folder: string): readonly string[];
export function whyNoNode(folder: string): string;
