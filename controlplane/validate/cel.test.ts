import { describe, expect, it } from "vitest";
import { celFault } from "./cel.ts";

const nested = (open: string, close: string, times: number) => `${open.repeat(times)}1${close.repeat(times)}`;

// Each was tried on Envoy 1.40.
describe("what Envoy compiles of CEL", () => {
  it.each([
    "response.code >= 400",
    "request.headers['a'].startsWith('b') && response.code == 200",
    "has(request.headers.x) || 'x' in request.headers",
    "request.time.getHours() > 1 ? true : response.flags != 0",
    "request.time.getMonth('UTC') == 1",
    "size(request.path) > 3 && request.path.size() > 3",
    "request.path.matches('^/[a-z]+$') || matches(request.path, r'\\d')",
    "int('1') + 2 == 3u",
    "type(a) == int",
    "re.extract(a, 'b', 'c') == 'd'",
    "filter_state['x'] == {'a': [1, 2]}",
    "no.such.attribute == 1",
    `a${"&&a".repeat(200)}`,
    nested("(", ")", 31),
  ])("%s", (expression) => {
    expect(celFault(expression)).toBeUndefined();
  });

  it.each([
    ["response.code >= ", "must be a valid CEL expression: line 1, column 15"],
    [")++++", "must be a valid CEL expression"],
    ["", "must be a valid CEL expression"],
    ["a = b", "must be a valid CEL expression"],
    ["'a", "must be a valid CEL expression"],
    ["a.?b", "must be a valid CEL expression"],
    ["'\\q' == a", "\\q is no escape"],
    ["foo(1)", "calls foo() with 1 arguments"],
    ["string(response.code) == '1'", "calls string()"],
    ["request.path.lowerAscii() == 'a'", "calls lowerAscii()"],
    ["request.path.contains('a', 'b')", "calls contains() with 2 arguments"],
    ["[1].exists(x, x > 1)", "Envoy has that turned off"],
    ["has(a)", "calls has()"],
    ["request.path.matches('(')", "matches a pattern that is not a regular expression of RE2"],
    ["request.path.matches('a{999}')", "matches a pattern that is too complex"],
    ["a == 99999999999999999999", "holds a number that is too large"],
    ["Message{a: 1}", "cannot make a message"],
    [nested("(", ")", 40), "is nested deeper than 31"],
    [`a${"+a".repeat(40)}`, "is nested deeper than 31"],
    ["a".repeat(2_000), "is longer than 1024 characters"],
  ])("not %s", (expression, fault) => {
    expect(celFault(expression)).toContain(fault);
  });
});
