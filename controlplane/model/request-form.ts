// In which form requests go on from a proxy.

/** What becomes of a path on its way, as Istio's MeshConfig names it; each does what the one before does. */
export type PathNormalization = "NONE" | "BASE" | "MERGE_SLASHES" | "DECODE_AND_MERGE_SLASHES";

/** What becomes of headers with `_` in their names, in Envoy's words. */
export type HeadersWithUnderscores = "ALLOW" | "REJECT_REQUEST" | "DROP_HEADER";

export interface RequestForm {
  readonly pathNormalization: PathNormalization;
  readonly headersWithUnderscoresAction: HeadersWithUnderscores;
}
