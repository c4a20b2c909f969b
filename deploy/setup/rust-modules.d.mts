export declare function buildRustModules(context: {
  root: string;
  cacheDir: string;
  begin(): void;
  report(line: string): void;
}): Promise<boolean>;
