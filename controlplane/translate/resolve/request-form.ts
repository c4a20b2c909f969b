// In which form requests go on: the mesh's settings say it for every listener.
import { memoized } from "../../world/memo.ts";
import type { MeshConfig } from "../../world/world.ts";
import type { RequestForm } from "../../model/request-form.ts";

/** Returns the form; the same object for the same settings, whatever else of them changed. */
export function resolveRequestForm({ pathNormalization, headersWithUnderscoresAction }: MeshConfig): RequestForm {
  return formOf(forms, pathNormalization, headersWithUnderscoresAction);
}

const forms = {};

const formOf = memoized(
  (
    _forms: object,
    pathNormalization: RequestForm["pathNormalization"],
    headersWithUnderscoresAction: RequestForm["headersWithUnderscoresAction"],
  ): RequestForm => ({ pathNormalization, headersWithUnderscoresAction }),
);
