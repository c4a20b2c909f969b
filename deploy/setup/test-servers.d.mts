export declare const TEST_SERVERS: Readonly<
  Record<
    string,
    {
      readonly version: string;
      readonly binary: string;
      readonly go?: string;
      readonly cargo?: string;
      readonly wheel?: object;
    }
  >
>;
export declare function testServerPath(cacheDir: string, name: string): string;
export declare function buildTestServers(context: {
  cacheDir: string;
  begin(): void;
  report(line: string): void;
}): Promise<boolean>;
