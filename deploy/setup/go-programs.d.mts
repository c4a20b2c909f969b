export declare function buildGoPrograms(context: {
  root: string;
  begin(): void;
  report(line: string): void;
}): Promise<boolean>;
