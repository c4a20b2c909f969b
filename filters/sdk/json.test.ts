import { startHost } from "proxy-wasm-host";
import { beforeAll, describe, expect, it } from "vitest";
import { buildFixture } from "./testing/build.ts";

let sample: Uint8Array;
beforeAll(async () => {
  sample = await buildFixture("sample");
}, 180_000);

/** What configuring says: "" if accepted. */
function problem(configuration: string | Uint8Array): string {
  const result = startHost({ module: sample, configuration });
  if (result.kind === "started") return "";
  return (
    /^configuration refused: (.*) \(proxy_on_configure answered false\)$/s.exec(result.message)?.[1] ??
    `?? ${result.message}`
  );
}

describe("the JSON reader", () => {
  it.each([
    ["{}", ""],
    [' {"greeting" : "x", "limits": [ ], "on": true}\n', ""],
    ['﻿{"on":false}', ""],
    ['{"limits":[{"name":"a","per":60},{"name":"b","per":1}]}', ""],
    ['{"limits":[{"name":"a","per":1.0e1}]}', ""],
    ['{"limits":[{"name":"a","per":61}]}', "limits[0].per: expected a whole number from 1 to 60"],
    ['{"limits":[{"name":"a","per":1},{"name":"b","per":2.5}]}', "limits[1].per: expected a whole number from 1 to 60"],
    ['{"limits":[{"name":"a","per":13}]}', "limits[0].per: expected a lucky number"],
    ['{"limits":[{"name":"a"}]}', "limits[0].per: expected a whole number from 1 to 60, but it is missing"],
    ['{"limits":[{"name":7,"per":1}]}', "limits[0].name: expected a string"],
    ...["60", "s", "", "1.5s", "1 s", "-1s", "1d", `${"9".repeat(30)}h`, "1s "].map((text) => [
      `{"pause":"${text}"}`,
      "pause: expected a duration such as 60s",
    ]),
    ['{"pause":60}', "pause: expected a duration such as 60s"],
    ['{"pause":"2m"}', "pause: expected a duration from 1ms to 90000ms"],
    ['{"pause":"0s"}', "pause: expected a duration from 1ms to 90000ms"],
    ['{"limits":[3]}', "limits[0]: expected an object"],
    ['{"limits":{}}', "limits: expected a list"],
    ['{"limit":[]}', "limit: unknown field (known: greeting, limits, on, tickMs, ratio, pause)"],
    ['{"on":"true"}', "on: expected true or false"],
    ['{"on":null}', "on: expected true or false"],
    ["[]", "configuration: expected an object"],
    ["3", "configuration: expected an object"],
    ["", "not JSON: line 1, column 1: expected a value"],
    ["{", "not JSON: line 1, column 2: expected a field name in quotes"],
    ['{"on":tru}', "not JSON: line 1, column 7: expected a value"],
    ['{"on":true,}', "not JSON: line 1, column 12: expected a field name in quotes"],
    ['{"on":true\n\n  "x"}', 'not JSON: line 3, column 3: expected "," or "}"'],
    ['{"on":true} x', "not JSON: line 1, column 13: expected nothing more"],
    ['{"on":true,"on":true}', 'not JSON: line 1, column 16: expected field "on" only once'],
    ['{"greeting":"a\nb"}', "not JSON: line 1, column 15: expected the string's end"],
    ['{"greeting":"a', "not JSON: line 1, column 15: expected the string's end"],
    ['{"greeting":"\\x"}', "not JSON: line 1, column 16: expected an escape that JSON knows"],
    ['{"greeting":"\\u12g4"}', "not JSON: line 1, column 18: expected four hexadecimal digits"],
    ['{"tickMs":01}', "not JSON: line 1, column 13: expected a value"],
    ['{"tickMs":1.}', "not JSON: line 1, column 13: expected a digit"],
    ['{"tickMs":-}', "not JSON: line 1, column 12: expected a value"],
    [`${"[".repeat(100)}`, "not JSON: line 1, column 66: expected at most 64 levels"],
  ])("%s → %s", (text, expected) => {
    expect(problem(text)).toBe(expected);
  });

  const escaped = (unit: number): string => `\\u${unit.toString(16).padStart(4, "0")}`;
  it.each([["plain"], ['" \\ / \b \f \n \r \t \u0000 \u001f'], ["é ü € 😀 \u{10ffff} \u07ff \u0800"]])(
    "reads back the string %j",
    (text) => {
      for (const json of [
        JSON.stringify({ greeting: text }),
        `{"greeting":"${Array.from({ length: text.length }, (_none, i) => escaped(text.charCodeAt(i))).join("")}"}`,
      ]) {
        const result = startHost({ module: sample, configuration: json });
        if (result.kind === "failed") throw new Error(result.message);
        const greeting = result.host.run().responseHeaders?.get("x-greeting") ?? "";
        expect(Buffer.from(greeting, "latin1").toString("utf8")).toBe(text);
      }
    },
  );

  it.each(["0", "-0.5", "1e3", "1.5E-3", "123456789012345678", "3.141592653589793"])("reads the number %s", (text) => {
    const result = startHost({ module: sample, configuration: `{"ratio":${text}}` });
    if (result.kind === "failed") throw new Error(result.message);
    const logged = result.host.logged("info").at(-1) ?? "";
    expect(Number(logged.replace("ratio ", ""))).toBeCloseTo(Number(text), 10);
  });

  it.each([
    ["250ms", "250"],
    ["60s", "60000"],
    ["1m30s", "90000"],
    ["1s5ms", "1005"],
    ["0h1s", "1000"],
  ])("reads the duration %s", (text, expected) => {
    const result = startHost({ module: sample, configuration: `{"pause":"${text}"}` });
    if (result.kind === "failed") throw new Error(result.message);
    expect(result.host.logged("info").at(-1)).toBe(`pause ${expected}`);
  });

  it("survives any bytes", () => {
    const text = Buffer.from(
      '{"greeting":"h\\u00e9\\ud83d\\ude00\\n","limits":[{"name":"a","per":5},{"name":"b","per":1e1}],' +
        '"on":true,"ratio":-1.5e-3}',
    );
    let seed = 1;
    const random = (below: number): number => (seed = (seed * 48271) % 2147483647) % below;
    for (let i = 0; i < 1500; i++) {
      const mutated = Buffer.from(text.subarray(0, i % 5 === 0 ? random(text.length) : text.length));
      for (let changes = random(4); changes >= 0 && mutated.length > 0; changes--)
        mutated[random(mutated.length)] = random(256);
      expect(problem(mutated)).not.toMatch(/^\?\?/);
    }
  }, 60_000);
});
