// What the telemetry filter counts on a real Envoy.
import type { IncomingHttpHeaders } from "node:http";
import { describe, expect, it } from "vitest";
import { eventually } from "../../support/until.ts";
import type { FiltersStage } from "./filters-stage.ts";

/** Registers the tests. */
export function describeTelemetry(stage: () => FiltersStage): void {
  describe("telemetry on Envoy", () => {
    it("counts on both sides with Istio's labels", async () => {
      await stage().send({ port: stage().envoy.ports.outbound, headers: { host: "reviews", "end-user": "jason" } });
      const common = {
        source_workload: "productpage-v1",
        source_workload_namespace: "default",
        source_app: "productpage",
        source_version: "v1",
        source_canonical_service: "productpage",
        source_canonical_revision: "v1",
        source_cluster: "Kubernetes",
        source_principal: "spiffe://cluster.local/ns/default/sa/productpage",
        destination_principal: "spiffe://cluster.local/ns/default/sa/reviews",
        destination_service: "reviews.default.svc.cluster.local",
        destination_service_name: "reviews",
        destination_service_namespace: "default",
        request_protocol: "http",
        response_code: "200",
        response_flags: "-",
        grpc_response_status: "",
      };
      const source = await eventually("the source's sample", async () =>
        (await stage().samples("istio_requests_total")).find(
          (one) => one["reporter"] === "source" && one["destination_version"] === "v2",
        ),
      );
      expect(source).toMatchObject({
        ...common,
        reporter: "source",
        connection_security_policy: "unknown",
        destination_workload: "reviews-v2",
        destination_workload_namespace: "default",
        destination_app: "reviews",
        destination_canonical_service: "reviews",
        destination_canonical_revision: "v2",
        destination_cluster: "Kubernetes",
      });
      const destination = await eventually("the destination's sample", async () =>
        (await stage().samples("istio_requests_total")).find(
          (one) =>
            one["reporter"] === "destination" &&
            one["response_code"] === "200" &&
            one["source_workload"] === "productpage-v1",
        ),
      );
      expect(destination).toMatchObject({
        ...common,
        reporter: "destination",
        connection_security_policy: "mutual_tls",
        destination_workload: "productpage-v1",
      });
    });

    it("has the histograms, and nothing but Istio's names and labels", async () => {
      const page = await stage().envoy.prometheus();
      expect(page).toContain("# TYPE istio_requests_total counter");
      for (const name of ["istio_request_duration_milliseconds", "istio_request_bytes", "istio_response_bytes"]) {
        expect(page).toContain(`# TYPE ${name} histogram`);
        expect((await stage().samples(`${name}_count`)).length).toBeGreaterThan(0);
      }
      // Envoy shows a histogram's samples once its flush interval has passed.
      await eventually("the bytes of responses", async () =>
        (await stage().samples("istio_response_bytes_sum")).find(
          (one) => one["reporter"] === "source" && Number(one["value"]) > 100,
        ),
      );
      expect(page.split("\n").filter((line) => line.includes("istio_") && line.includes(";"))).toEqual([]);
    });

    it("counts what authz refused, and does not believe metadata from plaintext", async () => {
      const forged = Buffer.from("garbage").toString("base64");
      const answer = await stage().send({
        port: stage().envoy.ports.mesh,
        path: "/public/x",
        headers: { "x-envoy-peer-metadata": forged, "x-envoy-peer-metadata-id": "sidecar~x" },
      });
      expect(answer.status).toBe(200);
      const seen = (JSON.parse(answer.body) as { headers: IncomingHttpHeaders }).headers;
      expect(Object.keys(seen).filter((name) => name.startsWith("x-envoy-peer"))).toEqual([]);
      await stage().send({ port: stage().envoy.ports.mesh, path: "/admin" });
      const refused = await eventually("the refused request's sample", async () =>
        (await stage().samples("istio_requests_total")).find(
          (one) => one["response_code"] === "403" && one["connection_security_policy"] === "none",
        ),
      );
      expect(refused).toMatchObject({
        source_workload: "unknown",
        source_principal: "unknown",
        destination_service_name: "reviews",
      });
    });

    it("knows peer and service of a request that authz refused", async () => {
      expect(
        (await stage().send({ port: stage().envoy.ports.outbound, path: "/admin", headers: { host: "reviews" } }))
          .status,
      ).toBe(403);
      const refused = await eventually("the refused peer's sample", async () =>
        (await stage().samples("istio_requests_total")).find(
          (one) =>
            one["reporter"] === "destination" &&
            one["response_code"] === "403" &&
            one["source_workload"] === "productpage-v1",
        ),
      );
      expect(refused).toMatchObject({
        connection_security_policy: "mutual_tls",
        destination_service: "reviews.default.svc.cluster.local",
        destination_service_name: "reviews",
      });
    });

    it("sends peer metadata into the mesh only", async () => {
      const inside = await stage().send({ port: stage().envoy.ports.outbound, headers: { host: "reviews" } });
      expect(
        Object.keys((JSON.parse(inside.body) as { headers: IncomingHttpHeaders }).headers).filter((name) =>
          name.startsWith("x-envoy-peer"),
        ),
      ).toEqual([]);
      const outside = await stage().send({
        port: stage().envoy.ports.outbound,
        headers: { host: "outside.test", "x-envoy-peer-metadata": "forged", "x-envoy-peer-metadata-id": "me" },
      });
      expect(
        Object.keys((JSON.parse(outside.body) as { headers: IncomingHttpHeaders }).headers).filter((name) =>
          name.startsWith("x-envoy-peer"),
        ),
      ).toEqual([]);
    });
  });
}
