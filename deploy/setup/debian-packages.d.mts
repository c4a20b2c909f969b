export declare const TEST_PROGRAMS: Readonly<Record<string, string>>;
export declare function missingPackages(searchPath: string): Promise<string[]>;
export declare function installTestPrograms(context: {
  searchPath: string;
  mayInstall: boolean;
  begin(): void;
  report(line: string): void;
}): Promise<boolean>;
