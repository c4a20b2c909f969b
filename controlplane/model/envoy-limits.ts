// Bounds that every Envoy of the mesh is told, and so the ones that documents are held to.

/** Largest compiled regular expression, in RE2's instructions. Istio's; Envoy's own (100) refuses ordinary ones. */
export const MAX_REGEX_PROGRAM_SIZE = 32_768;
/** What that bound is called in Envoy's runtime. */
export const REGEX_PROGRAM_SIZE_KEY = "re2.max_program_size.error_level";

/** Largest body of a direct response. Istio's; Envoy's own is 4 KiB. */
export const MAX_DIRECT_RESPONSE_BYTES = 1_048_576;

/** Longest name that Envoy's clients ask for by TLS. */
export const MAX_SERVER_NAME_BYTES = 255;
