// Which subset the router filter chooses on a real Envoy.
import { describe, expect, it } from "vitest";
import { eventually } from "../../support/until.ts";
import type { FiltersStage } from "./filters-stage.ts";

/** Registers the tests. */
export function describeRouter(stage: () => FiltersStage): void {
  describe("router on Envoy", () => {
    const version = async (headers: Record<string, string>, path = "/"): Promise<string> => {
      const before = await counts();
      const answer = await stage().send({
        port: stage().envoy.ports.outbound,
        path,
        headers: { host: "reviews", ...headers },
      });
      if (answer.status !== 200) return String(answer.status);
      return eventually("the chosen subset", async () => {
        const after = await counts();
        return Object.keys(after).find((key) => after[key] !== (before[key] ?? 0));
      });
    };
    const counts = async (): Promise<Record<string, number>> => {
      const out: Record<string, number> = {};
      for (const sample of await stage().samples("istio_requests_total"))
        if (sample["reporter"] === "source")
          out[sample["destination_version"] ?? ""] =
            (out[sample["destination_version"] ?? ""] ?? 0) + Number(sample["value"]);
      return out;
    };

    it("chooses by header, cookie and query, first match first", async () => {
      expect(await version({})).toBe("v1");
      expect(await version({ "end-user": "jason" })).toBe("v2");
      expect(await version({ "end-user": "jasonx" })).toBe("v1");
      expect(await version({ cookie: "a=b; tier=gold" })).toBe("v2");
      expect(await version({}, "/v2/x?q=1")).toBe("v2");
      expect(await version({ "x-stay": "yes" }, "/v2/x?q=1")).toBe("v1");
      expect(await version({}, "/v2/x?q=2")).toBe("v1");
    });

    it("cannot be told the choice by a client, and no match is no route", async () => {
      expect(
        await version({
          "scrim.route": "0.0",
          "x-scrim-route": "0.0",
          "wasm.scrim.route": "0.0",
          "x-envoy-scrim-route": "0.0",
        }),
      ).toBe("v1");
      expect(await version({ "x-lost": "" })).toBe("404");
      await eventually("the flag of a request without a route", async () =>
        (await stage().samples("istio_requests_total")).find(
          (one) => one["response_code"] === "404" && one["response_flags"] === "NR",
        ),
      );
    });
  });
}
