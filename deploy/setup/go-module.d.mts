export declare function buildGoModule(context: { root: string; begin(): void; report(line: string): void }): Promise<boolean>;
