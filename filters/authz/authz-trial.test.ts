// Policies that refuse nothing: AUDIT, and those on trial.
import { readFileSync } from "node:fs";
import { createHost } from "proxy-wasm-host";
import { describe, expect, it } from "vitest";

const module = readFileSync(new URL("../build/authz.wasm", import.meta.url));
const onPath = (path: string) => [{ to: [{ paths: [path] }] }];

function run(policies: readonly object[], path: string) {
  const host = createHost({ module, configuration: JSON.stringify({ policies }) });
  const stream = host.newStream({ headers: { ":method": "GET", ":path": path, ":authority": "a.test" } });
  const { kind } = stream.sendRequestHeaders();
  const state = (name: string): string | undefined => stream.filterState(name);
  return { host, allowed: kind === "continue", trial: state("scrim.authz.dry_run"), audit: state("scrim.authz.audit") };
}

describe("policies on trial", () => {
  const deny = { name: "n/deny", action: "DENY", dryRun: true, rules: onPath("/a") };
  const allow = { name: "n/allow", action: "ALLOW", dryRun: true, rules: onPath("/b") };
  it.each<[string, object[], string, string]>([
    ["a DENY that matches", [deny], "/a", "denied by n/deny[0]"],
    ["a DENY that does not", [deny], "/x", "allowed by none"],
    ["an ALLOW that matches", [allow], "/b", "allowed by n/allow[0]"],
    ["an ALLOW that does not", [allow], "/x", "denied by none"],
    ["DENY before ALLOW", [allow, { ...deny, rules: [{}] }], "/b", "denied by n/deny[0]"],
  ])("only tell: %s", (_name, policies, path, told) => {
    const { host, allowed, trial } = run(policies, path);
    expect(allowed).toBe(true);
    expect(trial).toBe(told);
    expect(host.metrics.counter(`scrim_authz_dry_run_${told.startsWith("denied") ? "denied" : "allowed"}_total`)).toBe(
      1,
    );
    expect(host.metrics.counter("scrim_authz_allowed_total")).toBe(1);
    expect(host.logged("debug").some((line) => line.startsWith(`authz: dry run: ${told} (rules looked at: `))).toBe(
      true,
    );
  });

  it("leave the others alone, and are left alone by them", () => {
    const enforced = { name: "n/enforced", action: "DENY", rules: onPath("/b") };
    expect(run([deny, enforced], "/a")).toMatchObject({ allowed: true, trial: "denied by n/deny[0]" });
    expect(run([deny, enforced], "/b")).toMatchObject({ allowed: false, trial: "allowed by none" });
    expect(run([enforced], "/a").trial).toBeUndefined();
  });
});

describe("AUDIT", () => {
  const audit = { name: "n/audit", action: "AUDIT", rules: [...onPath("/x"), ...onPath("/a*")] };
  it("tells which rule matched, whatever is decided", () => {
    for (const [policies, allowed] of [
      [[audit], true],
      [[audit, { name: "n/deny", action: "DENY", rules: [{}] }], false],
    ] as const) {
      const result = run(policies, "/abc");
      expect(result).toMatchObject({ allowed, audit: "n/audit[1]" });
      expect(result.host.metrics.counter("scrim_authz_audited_total")).toBe(1);
      expect(result.host.logged("info")).toContain("authz: audited by n/audit[1]");
    }
  });

  it("says nothing of other requests, and makes no ALLOW policy of itself", () => {
    const result = run([audit], "/b");
    expect(result).toMatchObject({ allowed: true, audit: undefined });
    expect(result.host.metrics.counter("scrim_authz_audited_total")).toBe(0);
  });
});
