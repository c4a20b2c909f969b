// Identities that can be read in several ways: what keeps out takes every reading, what lets in the plain one.
import { describe, expect, it } from "vitest";
import { decide, mtls, ORDERS, start } from "./testing.ts";

/** Many rules are looked up by an index. */
const others = Array.from({ length: 40 }, (_, index) => ({ from: [{ namespaces: [`other-${index}`] }] }));

/** Whether a DENY refuses, whether an ALLOW lets in, whether an ALLOW of everybody else lets in. */
function outcomes(field: string, value: string, identity: string): readonly [boolean, boolean, boolean] {
  const not = `not${field[0]?.toUpperCase()}${field.slice(1)}`;
  const answer = (action: string, source: object) => {
    const rules = [...others, { from: [source] }];
    return decide(start([{ name: "n/p", action, rules }]), {}, mtls(identity)) === "allowed";
  };
  return [
    !answer("DENY", { [field]: [value] }),
    answer("ALLOW", { [field]: [value] }),
    answer("ALLOW", { [not]: [value] }),
  ];
}

const caught = [true, false, false];
const plain = [true, true, false];
const other = [false, false, true];

describe("a namespace", () => {
  it.each([
    ["shop", ORDERS, plain],
    ["shop*", ORDERS, plain],
    ["*op", ORDERS, plain],
    ["*", ORDERS, plain],
    ["sho", ORDERS, other],
    ["shop", "spiffe://td/ns/shop/sa/x/ns/foo/sa/x", caught],
    ["foo", "spiffe://td/ns/shop/sa/x/ns/foo/sa/x", caught],
    ["shop", "spiffe://td/ns/shop", other],
    ["shop", "spiffe://td/ns/shop/", caught],
    ["shop", "spiffe://td/a/ns/shop/b", caught],
    ["shop", "spiffe://ns/shop/b", caught],
    ["sa", "spiffe://td/ns/ns/sa/x", caught],
    ["sh*", "spiffe://td/ns/shop/sa/x/y", caught],
    ["*op", "spiffe://td/ns/a/shop/sa/x", caught],
    ["*", "spiffe://td/ns//x", caught],
    ["shop", "spiffe://td/xns/shop/sa/x", other],
    ["shop", "spiffe://td", other],
  ])("%s of %s", (value, identity, expected) => {
    expect(outcomes("namespaces", value, identity)).toEqual(expected);
  });
});

describe("a service account", () => {
  it.each([
    ["shop/orders", ORDERS, plain],
    ["shop/order", ORDERS, other],
    ["shop/*", ORDERS, plain],
    ["shop/orders", `${ORDERS}/more`, caught],
    ["shop/orders", "spiffe://td/ns/shop/sa/orders/ns/foo/sa/x", caught],
    ["foo/x", "spiffe://td/ns/shop/sa/orders/ns/foo/sa/x", caught],
    ["shop/x", "spiffe://td/ns/shop/sa/orders/ns/foo/sa/x", caught],
    ["shop/orders", "spiffe://td/ns/shop/a/b/sa/orders", caught],
    ["shop/orders", "spiffe://td/ns/shop/orders", other],
    ["shop/orders", "spiffe://td/sa/orders/ns/shop", other],
  ])("%s of %s", (value, identity, expected) => {
    expect(outcomes("serviceAccounts", value, identity)).toEqual(expected);
  });
});
