// How a registry asks who one is: the WWW-Authenticate header. Grammar: RFC 9110, section 11.2; the token's request:
// https://distribution.github.io/distribution/spec/auth/token/.

export type Challenge =
  | { readonly kind: "basic" }
  | {
      readonly kind: "bearer";
      readonly realm: string;
      readonly service: string | undefined;
      readonly scope: string | undefined;
    };

/**
 * Returns the challenge that can be answered (Bearer before Basic), or undefined. Node joins several headers with
 * commas.
 */
export function parseChallenge(header: string | undefined): Challenge | undefined {
  const schemes = splitSchemes(header ?? "");
  const bearer = schemes.find(({ scheme, parameters }) => scheme === "bearer" && parameters.has("realm"));
  if (bearer !== undefined) {
    const { parameters } = bearer;
    return {
      kind: "bearer",
      realm: parameters.get("realm") ?? "",
      service: parameters.get("service"),
      scope: parameters.get("scope"),
    };
  }
  return schemes.some(({ scheme }) => scheme === "basic") ? { kind: "basic" } : undefined;
}

interface Scheme {
  readonly scheme: string;
  readonly parameters: Map<string, string>;
}

function splitSchemes(header: string): readonly Scheme[] {
  const schemes: Scheme[] = [];
  const token = /\s*,?\s*([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/y;
  for (let match = token.exec(header); match !== null && match[0] !== ""; match = token.exec(header)) {
    const [, name = "", quoted, plain] = match;
    const value = quoted?.replaceAll(/\\(.)/g, "$1") ?? plain;
    if (value === undefined) schemes.push({ scheme: name.toLowerCase(), parameters: new Map() });
    else schemes.at(-1)?.parameters.set(name.toLowerCase(), value);
  }
  return schemes;
}
