// A failure that stands at a field of the plugin whose module it is about.
import { type Failure, failed } from "../model/failure.ts";

export interface PluginFailure<Code extends string = string> extends Failure<Code> {
  /** As in `spec.url`, or `metadata.annotations["scrim.mesh/turns"]`. */
  readonly field: string;
}

/** Returns a failure at a field of a WasmPlugin. */
export function failedAt<Code extends string>(field: string, code: Code, message: string): PluginFailure<Code> {
  return { ...failed(code, message), field };
}
