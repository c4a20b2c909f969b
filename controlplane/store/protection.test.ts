import { describe, expect, it } from "vitest";
import { parseFile } from "../source/files/parse-file.ts";
import { isClosedRule } from "./protection.ts";
import { createStore } from "./store.ts";

const rule = (tls: string, rest = "") => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: vault, namespace: default}
spec: {host: vault, trafficPolicy: {tls: ${tls}${rest}}}
`;

function setUp() {
  const store = createStore({ strict: false });
  return (...texts: readonly string[]) => {
    const { documents } = parseFile(texts.join("---"), "f.yaml");
    store.apply({ source: "files", units: [{ id: "f", documents, problems: [], settled: true }], notices: [] });
    const inForce = store.world().get("DestinationRule", "default", "vault");
    return {
      rule: inForce === undefined ? "none" : isClosedRule(inForce) ? "closed" : inForce.spec.trafficPolicy?.tls?.mode,
      said: store
        .violations()
        .filter(({ severity }) => severity === "error")
        .map(({ object, servingLastGood, protection }) => [object, servingLastGood, protection]),
    };
  };
}

describe("a DestinationRule that is refused", () => {
  it("refuses the traffic that it would encrypt, and says so, until it is mended", () => {
    const edit = setUp();
    const refused = [["DestinationRule/default/vault", false, "traffic refused"]];
    expect(edit(rule("{mode: SIMPLE, sni: [no]}"))).toEqual({ rule: "closed", said: refused });
    expect(edit(rule("{mode: SIMPLE, sni: [no, no]}"))).toEqual({ rule: "closed", said: refused });
    expect(edit(rule("{mode: SIMPLE}"))).toEqual({ rule: "SIMPLE", said: [] });
  });

  it("stays at its last good version where it has one", () => {
    const edit = setUp();
    edit(rule("{mode: SIMPLE}"));
    const said = [["DestinationRule/default/vault", true, "not enforced"]];
    expect(edit(rule("{mode: ISTIO_MUTUAL, sni: [no]}"))).toEqual({ rule: "SIMPLE", said });
  });

  it("is left out where it encrypts nothing", () => {
    const edit = setUp();
    const said = [["DestinationRule/default/vault", false, undefined]];
    expect(edit(rule("{mode: DISABLE, sni: [no]}"))).toEqual({ rule: "none", said });
  });
});

describe("what is not enforced", () => {
  it.each(["PeerAuthentication", "AuthorizationPolicy", "RequestAuthentication", "AuthorizationPolcy"])(
    "is said of a %s",
    (kind) => {
      const { said } = setUp()(`
apiVersion: security.istio.io/v1
kind: ${kind}
metadata: {name: all, namespace: default}
spec: {nothing: known}
`);
      expect(said.map(([, , protection]) => protection)).toContain("not enforced");
    },
  );

  it("is said of a second one of the same name, and not of what protects nothing", () => {
    const policy = (action: string) => `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: all, namespace: default}
spec: {action: ${action}, rules: [{}]}
`;
    expect(setUp()(policy("ALLOW"), policy("DENY")).said).toEqual([
      ["AuthorizationPolicy/default/all", false, "not enforced"],
    ]);
    const route = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: default}
spec: {hosts: []}
`;
    expect(setUp()(route).said.map(([, , protection]) => protection)).toEqual([undefined]);
  });
});
