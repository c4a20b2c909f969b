import { expect, it } from "vitest";
import { assign, parseAssignment } from "./assignment.ts";
import type { Values } from "./words.ts";

const set = (...texts: string[]) =>
  texts.reduce<Values>((values, text) => {
    const assignment = parseAssignment(text);
    if (assignment.kind === "failed") throw new Error(assignment.message);
    return assign(values, assignment);
  }, {});

it("assigns values as Helm's users write them", () => {
  expect(set("a.b=1", "a.c=true", "a.d=text", "e={x,y}", "f=", "g=null")).toEqual({
    ...{ a: { b: 1, c: true, d: "text" }, e: ["x", "y"], f: "", g: null },
  });
  expect(
    set("service.annotations.example\\.com/kind=nlb", "ports[0].port=80", "ports[0].name=http", "tag=0123"),
  ).toEqual({
    service: { annotations: { "example.com/kind": "nlb" } },
    ports: [{ port: 80, name: "http" }],
    tag: "0123",
  });
  expect(parseAssignment("=1")).toMatchObject({ kind: "failed" });
  expect(parseAssignment("pilot")).toMatchObject({ message: expect.stringContaining("PATH=VALUE") });
});
