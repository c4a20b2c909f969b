// What the authorization filter lets pass on a real Envoy.
import { describe, expect, it } from "vitest";
import { eventually } from "../../support/until.ts";
import type { FiltersStage, Sent } from "./filters-stage.ts";

/** Registers the tests. */
export function describeAuthz(stage: () => FiltersStage): void {
  describe("authz on Envoy", () => {
    it.each<[string, Omit<Sent, "port">, number, string]>([
      ["plain-none", { path: "/" }, 403, "403 rbac_access_denied_matched_policy[none],not_allowed_by[default/allow]"],
      ["plain-public", { path: "/public/a" }, 200, "200 via_upstream"],
      [
        "plain-public-deep",
        { path: "/public/a/b" },
        403,
        "403 rbac_access_denied_matched_policy[none],not_allowed_by[default/allow]",
      ],
      ["mtls-get", { path: "/", identity: "productpage" }, 200, "200 via_upstream"],
      [
        "mtls-post",
        { path: "/", method: "POST", identity: "productpage" },
        403,
        "403 rbac_access_denied_matched_policy[none],not_allowed_by[default/allow]",
      ],
      [
        "mtls-other",
        { path: "/", identity: "stranger" },
        403,
        "403 rbac_access_denied_matched_policy[none],not_allowed_by[default/allow]",
      ],
      ["mtls-namespace", { path: "/", method: "PUT", identity: "stranger" }, 200, "200 via_upstream"],
      [
        "admin",
        { path: "/admin", identity: "productpage" },
        403,
        "403 rbac_access_denied_matched_policy[default/deny-admin[0]]",
      ],
      [
        "admin-slashes",
        { path: "//admin", identity: "productpage" },
        403,
        "403 rbac_access_denied_matched_policy[default/deny-admin[0]]",
      ],
      [
        "admin-escaped",
        { path: "/%2Fadmin", identity: "productpage" },
        403,
        "403 rbac_access_denied_matched_policy[default/deny-admin[0]]",
      ],
      [
        "admin-backslash",
        { path: "/%5cadmin", identity: "productpage" },
        403,
        "403 rbac_access_denied_matched_policy[default/deny-admin[0]]",
      ],
      [
        "admin-dots",
        { path: "/x/../admin?x", identity: "productpage" },
        403,
        "403 rbac_access_denied_matched_policy[default/deny-admin[0]]",
      ],
      [
        "role",
        { headers: { "x-role": "banned" }, identity: "productpage" },
        403,
        "403 rbac_access_denied_matched_policy[default/deny-admin[1]]",
      ],
      [
        "role-second",
        { headers: { "x-role": ["user", "banned"] }, identity: "productpage" },
        403,
        "403 rbac_access_denied_matched_policy[default/deny-admin[1]]",
      ],
      [
        "role-joined",
        { headers: { "x-role": "banned, user" }, identity: "productpage" },
        403,
        "403 rbac_access_denied_matched_policy[default/deny-admin[1]]",
      ],
      ["role-other", { headers: { "x-role": "banned2" }, identity: "productpage" }, 200, "200 via_upstream"],
      [
        "host",
        { headers: { host: "SECRET.test:8080" }, identity: "productpage" },
        403,
        "403 rbac_access_denied_matched_policy[default/deny-host[0]]",
      ],
      ["forwarded", { headers: { "x-forwarded-for": "10.1.1.1" }, identity: "productpage" }, 200, "200 via_upstream"],
    ])("%s", async (name, sent, status, line) => {
      const answer = await stage().send({
        port: stage().envoy.ports.mesh,
        ...sent,
        headers: { ...sent.headers, "x-case": name },
      });
      expect(answer.status).toBe(status);
      if (status === 403) expect(answer.body).toBe("RBAC: access denied");
      expect(await stage().details(name)).toBe(line);
    });

    it("says at debug level what decided", async () => {
      await eventually("the decisions' lines", () =>
        stage().envoy.log().includes("authz: denied by default/deny-admin[0]") &&
        stage().envoy.log().includes("authz: allowed by default/allow[0]")
          ? true
          : undefined,
      );
    });
  });
}
