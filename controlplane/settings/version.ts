import manifest from "../../package.json" with { type: "json" };

/** The version of Scrim. */
export const SCRIM_VERSION: string = manifest.version;
