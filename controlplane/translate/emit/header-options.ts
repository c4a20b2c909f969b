// Header changes in Envoy's words.
import type { HeaderValueOption, HeaderValueOption_HeaderAppendAction, Route } from "../../../protos/build/envoy.ts";
import type { HeaderChanges } from "../ir/routes.ts";

type HeaderFields = Pick<
  Route,
  "requestHeadersToAdd" | "requestHeadersToRemove" | "responseHeadersToAdd" | "responseHeadersToRemove"
>;

/** Returns the four header fields that routes and weighted clusters have, of the changes given, in order. */
export function buildHeaderFields(
  requests: readonly HeaderChanges[],
  responses: readonly HeaderChanges[],
): HeaderFields {
  const requestHeadersToAdd = requests.flatMap(additions),
    requestHeadersToRemove = requests.flatMap((changes) => changes.remove);
  const responseHeadersToAdd = responses.flatMap(additions),
    responseHeadersToRemove = responses.flatMap((changes) => changes.remove);
  return {
    ...(requestHeadersToAdd.length > 0 && { requestHeadersToAdd }),
    ...(requestHeadersToRemove.length > 0 && { requestHeadersToRemove }),
    ...(responseHeadersToAdd.length > 0 && { responseHeadersToAdd }),
    ...(responseHeadersToRemove.length > 0 && { responseHeadersToRemove }),
  };
}

function additions(changes: HeaderChanges): readonly HeaderValueOption[] {
  return [
    ...changes.set.map((pair) => option(pair, "OVERWRITE_IF_EXISTS_OR_ADD")),
    ...changes.add.map((pair) => option(pair, "APPEND_IF_EXISTS_OR_ADD")),
  ];
}

function option(
  [key, value]: readonly [string, string],
  appendAction: HeaderValueOption_HeaderAppendAction,
): HeaderValueOption {
  return {
    header: { key, value },
    appendAction,
    ...(value === "" && { keepEmptyValue: true }),
  };
}
