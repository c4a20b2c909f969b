import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { planRouters } from "../../controlplane/pods/gateway-plan.ts";
import { planWorkloads } from "../../controlplane/pods/workload-plan.ts";
import { loadFiles } from "../../controlplane/store/load.ts";
import { renderPage } from "./bookinfo/services/page.ts";

describe("bookinfo", () => {
  it("is a mesh without a fault, even strictly read", async () => {
    const { world, violations } = await loadFiles([fileURLToPath(new URL("bookinfo", import.meta.url))], {
      strict: true,
    });
    expect(violations).toEqual([]);
    expect(planWorkloads(world).workloads.map(({ name }) => name)).toEqual([
      "details-v1",
      "productpage-v1",
      "ratings-v1",
      "reviews-v1",
      "reviews-v2",
      "reviews-v3",
    ]);
    expect(planRouters(world)).toMatchObject([{ name: "istio-ingressgateway", ports: [{ port: 80 }] }]);
  });
});

describe("the product page", () => {
  const book = {
    kind: "there",
    value: { title: "T", author: "A", year: 1, pages: 2, language: "L", publisher: "P", isbn: "I" },
  } as const;
  it("shows reviews with their stars", () => {
    const page = renderPage(undefined, book, {
      kind: "there",
      value: {
        version: "v3",
        podname: "reviews-v3-0",
        reviews: [{ reviewer: "M", text: "good", rating: { stars: 4, color: "red" } }],
      },
    });
    expect(page).toContain("★★★★☆");
    expect(page).toContain('class="red"');
  });
  it("escapes what it did not write itself", () => {
    const page = renderPage("<script>alert(1)</script>", book, { kind: "missing", why: '503 <b>"x"</b>' });
    expect(page).not.toContain("<script>");
    expect(page).not.toContain('<b>"x"');
  });
});
