import { describe, expect, it } from "vitest";
import { parseCel } from "./cel.ts";

const attributes: Readonly<Record<string, string | number | boolean>> = {
  "request.path": "/admin/x",
  "request.headers.x-a": "1",
  "response.code": 404,
  "connection.mtls": true,
};
const value = (source: string): unknown => parseCel(source)?.((path) => attributes[path.join(".")]);

describe("the host's part of CEL", () => {
  it.each<[string, unknown]>([
    ["request.path == '/admin/x'", true],
    ["request.path.startsWith('/admin') && response.code >= 400", true],
    ['!(request.path.endsWith("y")) || connection.mtls', true],
    ["request.headers['x-a'] == '1'", true],
    ["'a\\'b'.contains('\\'')", true],
    ["response.code", 404],
    ["request.absent == 'x'", undefined],
    ["request.absent == 'x' || true", true],
    ["request.absent == 'x' && false", false],
    ["response.code == '404'", undefined],
  ])("%s", (source, expected) => expect(value(source)).toBe(expected));

  it("tells mistakes from what it does not know", () => {
    for (const source of ["request.path ==", "(true", "'open", "true)", ""]) expect(parseCel(source)).toBeUndefined();
    for (const source of ["request.path.matches('a')", "1 + 1", "a in b"])
      expect(() => parseCel(source)).toThrow(/this host's CEL does not know/);
  });
});
