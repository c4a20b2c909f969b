// Files of a mesh that are wrong: what was good before stays, and a word names the place.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Mesh, request } from "../../support/mesh.ts";
import { eventually } from "../../support/until.ts";
import { documents } from "../../support/workloads.ts";
import { rule, startWebMesh, virtualService } from "../traffic/web-mesh.ts";

let mesh: Mesh;
beforeAll(async () => void (mesh = await startWebMesh()), 120_000);
afterAll(() => mesh?.stop());

const subsets = rule("{}");
const applied = (file: string, ...texts: readonly string[]): Promise<void> => mesh.apply(file, ...texts);

async function versions(count: number, headers: Record<string, string> = {}): Promise<Record<string, number>> {
  const seen: Record<string, number> = {};
  for (let i = 0; i < count; i++) {
    const answer = await mesh.from("client", "http://web/", { headers });
    const version = answer.status === 200 ? String(answer.headers["x-version"]) : String(answer.status);
    seen[version] = (seen[version] ?? 0) + 1;
  }
  return seen;
}

describe("bad input", () => {
  it("keeps the last good version and says file, line and field", async () => {
    await applied("traffic.yaml", subsets, virtualService("  - route: [{destination: {host: web, subset: v2}}]\n"));
    expect(await versions(5)).toEqual({ v2: 5 });
    mesh.write(
      "traffic.yaml",
      documents(subsets, virtualService("  - route: [{destination: {host: web, subset: v1}, weight: -5}]\n")),
    );
    const violation = await eventually("the violation", async () => {
      const all = JSON.parse((await request(`${mesh.admin}/debug/violations`)).body) as {
        file: string;
        line: number;
        object: string;
        field: string;
        servingLastGood: boolean;
      }[];
      return all.find((each) => each.object.includes("VirtualService"));
    });
    expect(violation.file).toContain("traffic.yaml");
    expect(violation.line).toBeGreaterThan(8);
    expect(violation.field).toContain("weight");
    expect(violation.servingLastGood).toBe(true);
    expect(await versions(5)).toEqual({ v2: 5 });
    expect(mesh.output()).toContain("traffic.yaml");
  });

  it("is at the last good state after 100 edits of which half are invalid", async () => {
    for (let i = 0; i < 100; i++) {
      const good = virtualService(`  - route: [{destination: {host: web, subset: v${i % 4 === 0 ? 1 : 2}}}]\n`);
      mesh.write(
        "traffic.yaml",
        i % 2 === 0 ? documents(subsets, good) : `${documents(subsets, good).slice(0, -20 - i)}\n  {[broken`,
      );
    }
    mesh.write(
      "traffic.yaml",
      documents(subsets, virtualService("  - route: [{destination: {host: web, subset: v1}}]\n")),
    );
    await eventually("the last good state", async () => ((await versions(3))["v1"] === 3 ? true : undefined));
    mesh.write("traffic.yaml", "not: [valid");
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(await versions(10)).toEqual({ v1: 10 });
  });
});
