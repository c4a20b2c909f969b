// What bookinfo shows, wherever it runs: one list for the laptop and the cluster.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type Answer, repository } from "./mesh.ts";
import { eventually } from "./until.ts";

export const demo = join(repository, "deploy/demo/bookinfo");

/** A mesh with the demo in it. */
export interface Bookinfo {
  /** A request to the ingress gateway. */
  get(path: string, headers?: Record<string, string>): Promise<Answer>;
  /** A request of one of the workload's programs, as status and body. */
  from(workload: string, url: string): Promise<{ readonly status: number; readonly body: string }>;
  /** Puts a file of the demo in force with this text, and waits until all proxies have it. */
  change(file: string, text: string): Promise<void>;
  /** A `scrim` command that asks the mesh; what it prints. */
  scrim(...args: readonly string[]): Promise<string>;
}

/** Returns the demo's traffic.yaml with weights of reviews v1 and, the rest, v3. */
export function trafficOf(v1: number): string {
  return readFileSync(join(demo, "traffic.yaml"), "utf8")
    .replace("weight: 80", `weight: ${v1}`)
    .replace("weight: 20", `weight: ${100 - v1}`);
}

/** How many of so many pages came with reviews of which version. */
export async function versionsOf(mesh: Bookinfo, count: number, headers = {}): Promise<Record<string, number>> {
  const seen: Record<string, number> = {};
  for (let sent = 0; sent < count; sent += 20)
    for (const answer of await Promise.all(Array.from({ length: 20 }, () => mesh.get("/productpage", headers))))
      seen[versionOf(answer)] = (seen[versionOf(answer)] ?? 0) + 1;
  return seen;
}

const versionOf = ({ body }: Answer): string => /reviews-(v\d)-/.exec(body)?.[1] ?? `none in ${body.slice(0, 300)}`;

/** Registers the scenarios; `mesh` is asked for when they run. */
export function bookinfoScenarios(mesh: () => Bookinfo): void {
  it("shows the page with details, reviews and ratings", async () => {
    const answer = await mesh().get("/productpage", { "end-user": "jason" });
    expect(answer.status).toBe(200);
    for (const part of ["Mara K.", "Harbour Lane", "★"]) expect(answer.body).toContain(part);
  });

  it("always shows jason reviews v2", async () => {
    expect(await versionsOf(mesh(), 100, { "end-user": "jason" })).toEqual({ v2: 100 });
  });

  it("divides everybody else by the weights, and follows an edit", async () => {
    const seen = await versionsOf(mesh(), 1_000);
    expect(Object.keys(seen).sort()).toEqual(["v1", "v3"]);
    expect(Math.abs((seen["v1"] ?? 0) / 10 - 80)).toBeLessThanOrEqual(6);
    await mesh().change("traffic.yaml", trafficOf(0));
    expect(await versionsOf(mesh(), 100)).toEqual({ v3: 100 });
    await mesh().change("traffic.yaml", trafficOf(80));
  });

  it("refuses a caller outside the policy", async () => {
    const answer = await mesh().from("details-v1", "http://ratings:9080/ratings/0");
    expect([answer.status, answer.body]).toEqual([403, "RBAC: access denied"]);
  });

  it("answers 429 over the quota, while the overridden source goes on", async () => {
    const ask = async () => (await mesh().get("/api/v1/products/0/ratings")).status;
    const answers = await Promise.all(Array.from({ length: 20 }, ask));
    expect(new Set(answers)).toEqual(new Set([200, 429]));
    // Ten, and what comes back of the quota while a slow machine answers.
    expect(answers.filter((status) => status === 200).length).toBeLessThanOrEqual(13);
    const spent = async () => (await mesh().from("productpage-v1", "http://ratings:9080/ratings/0")).status === 429;
    await eventually("a refusal of productpage", async () => (await spent()) || undefined);
    expect((await mesh().from("reviews-v2", "http://ratings:9080/ratings/0")).status).toBe(200);
  });

  it("tells of every proxy, and that it is in sync", async () => {
    const names = ["details-v1", "productpage-v1", "ratings-v1", "reviews-v1", "reviews-v2", "reviews-v3"];
    await eventually("all proxies in sync", async () => {
      const proxies = JSON.parse(await mesh().scrim("proxy-status", "-o", "json")) as {
        workload: string;
        sync: Record<string, string>;
      }[];
      const synced = proxies.filter(({ sync }) => sync["cds"] === "SYNCED" && sync["lds"] === "SYNCED");
      const workloads = new Set(synced.map(({ workload }) => workload));
      return [...names, "istio-ingressgateway"].every((name) => workloads.has(name)) ? true : undefined;
    });
  });
}
