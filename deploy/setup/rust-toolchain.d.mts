export declare const RUST_TARGET: string;
export type RustToolchain =
  | {
      readonly kind: "found";
      readonly version: string;
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string>>;
    }
  | { readonly kind: "absent"; readonly reason: string };
export declare function findRustToolchain(): Promise<RustToolchain>;
