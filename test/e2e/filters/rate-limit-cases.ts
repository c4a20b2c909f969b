// What the rate limit filter admits on a real Envoy.
import { describe, expect, it } from "vitest";
import type { Answer, FiltersStage } from "./filters-stage.ts";

/** Registers the tests. */
export function describeRateLimit(stage: () => FiltersStage): void {
  describe("ratelimit on Envoy", () => {
    const burst = async (path: string, count: number, headers: Record<string, string> = {}): Promise<Answer[]> => {
      const answers: Answer[] = [];
      let left = count;
      await Promise.all(
        Array.from({ length: 32 }, async () => {
          while (left-- > 0) answers.push(await stage().send({ port: stage().envoy.ports.limited, path, headers }));
        }),
      );
      return answers;
    };
    const admitted = (answers: Answer[]): number => answers.filter(({ status }) => status === 200).length;

    it("admits exactly the limit over both workers, and tells when to come back", async () => {
      const answers = await burst("/all", 400);
      expect(admitted(answers)).toBe(50);
      const refused = answers.find(({ status }) => status === 429) as Answer;
      expect(Number(refused.headers["retry-after"])).toBeGreaterThanOrEqual(1);
      expect(refused.headers["ratelimit-policy"]).toBe('"default/shared/all";q=50;w=600');
      expect(refused.headers["ratelimit"]).toMatch(/^"default\/shared\/all";r=0;t=\d+$/);
      expect(refused.headers["x-envoy-ratelimited"]).toBe("true");
      const admittedOne = answers.find(({ status }) => status === 200) as Answer;
      expect(admittedOne.headers["ratelimit"]).toMatch(/^"default\/shared\/all";r=\d+;t=\d+$/);
      await stage().send({ port: stage().envoy.ports.limited, path: "/all", headers: { "x-case": "limited" } });
      expect(await stage().details("limited")).toBe("429 scrim_rate_limited[default/shared/all]");
    });

    it("keeps a bucket per key", async () => {
      expect(admitted(await burst("/user", 100, { "x-user": "a" }))).toBe(5);
      expect(admitted(await burst("/user", 100, { "x-user": "b" }))).toBe(5);
    });

    it("neither over-admits nor wastes tokens when workers lease", async () => {
      const before = performance.now();
      const count = admitted(await burst("/large", 3000));
      const regained = ((performance.now() - before) / 1000) * 2000; // the limit regains 2,000 a second
      expect(count).toBeLessThanOrEqual(1000 + regained);
      expect(count).toBeGreaterThanOrEqual(1000);
    });
  });
}
