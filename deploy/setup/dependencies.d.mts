export interface Lock {
  readonly packages: Readonly<
    Record<string, { readonly version?: string; readonly optional?: boolean; readonly link?: boolean }>
  >;
}
export function dependenciesMatch(root: string): Promise<boolean>;
export function missingPackages(wanted: Lock, installed: Lock): string[];
export function explainNpmFailure(output: string): Error;
