// Fields of `from`, each with requests that fit it and requests that do not.
import { type Case, type Field, ORDERS, address, both, orders, token } from "./words.ts";

const from = (name: string, source: object, cases: readonly Case[]): Field => ({
  name,
  rule: { from: [source] },
  cases,
});

export const sources: readonly Field[] = [
  from(
    "principal",
    { principals: ["cluster.local/ns/shop/sa/orders"] },
    both(
      [orders],
      [{}, { peer: { identity: `${ORDERS}2` } }, { headers: { "x-forwarded-client-cert": `URI=${ORDERS}` } }],
    ),
  ),
  from(
    "principals by prefix and suffix",
    { principals: ["cluster.local/ns/shop/*", "*/sa/admin"] },
    both(
      [orders, { peer: { identity: "spiffe://other/ns/a/sa/admin" } }],
      [{}, { peer: { identity: "spiffe://cluster.local/ns/shopping/sa/x" } }],
    ),
  ),
  from("any principal", { principals: ["*"] }, both([orders], [{}, { peer: { sni: "a.test" } }])),
  from("no principal", { notPrincipals: ["*"] }, both([{}], [orders])),
  from("namespaces", { namespaces: ["shop", "a*"] }, [
    ...both(
      [orders, { peer: { identity: "spiffe://t/ns/ab/sa/x" } }],
      [{}, { peer: { identity: "spiffe://t/ns/shopping/sa/x" } }],
    ),
    [{ peer: { identity: "spiffe://t/ns/evil/sa/x/ns/shop/sa/y" } }, false, true],
    [{ peer: { identity: "spiffe://t/ns/shop/x" } }, false, true],
  ]),
  from(
    "trust domains",
    { trustDomains: ["t", "cluster.*"] },
    both(
      [orders, { peer: { identity: "spiffe://t/ns/a/sa/x" } }],
      [{}, { peer: { identity: "spiffe://tt/ns/a/sa/x" } }],
    ),
  ),
  from(
    "namespace a.b",
    { namespaces: ["a.b"] },
    both([{ peer: { identity: "spiffe://t/ns/a.b/sa/x" } }], [{ peer: { identity: "spiffe://t/ns/aXb/sa/x" } }]),
  ),
  from("service accounts", { serviceAccounts: ["shop/orders", "shop/a.b"] }, [
    ...both(
      [orders],
      [{ peer: { identity: "spiffe://t/ns/shop/sa/aXb" } }, { peer: { identity: "spiffe://t/ns/other/sa/orders" } }],
    ),
    [{ peer: { identity: `${ORDERS}/more` } }, false, true],
    [{ peer: { identity: "spiffe://t/ns/shop/a/sa/orders/ns/x/sa/y" } }, false, true],
  ]),
  from(
    "ipBlocks",
    { ipBlocks: ["10.0.0.0/8", "2001:db8::/32"] },
    both(
      [
        address("10.1.2.3"),
        address("2001:db8::7"),
        { ...address("10.1.2.3"), headers: { "x-forwarded-for": "192.0.2.1" } },
      ],
      [address("11.1.2.3"), { ...address("11.1.2.3"), headers: { "x-forwarded-for": "10.1.2.3" } }],
    ),
  ),
  from(
    "remoteIpBlocks",
    { remoteIpBlocks: ["10.0.0.0/8"] },
    both(
      [address("10.1.2.3"), { ...address("11.1.2.3"), headers: { "x-forwarded-for": "10.1.2.3" } }],
      [address("11.1.2.3"), { ...address("10.1.2.3"), headers: { "x-forwarded-for": "192.0.2.1" } }],
    ),
  ),
  from(
    "two fields",
    { principals: ["*"], notIpBlocks: ["10.0.0.0/8"] },
    both(
      [{ peer: { identity: ORDERS, address: "11.1.2.3" } }],
      [{ peer: { identity: ORDERS, address: "10.1.2.3" } }, address("11.1.2.3")],
    ),
  ),
  from(
    "request principals",
    { requestPrincipals: ["https://login.test/alice", "https://b/*", "*/root"] },
    both(
      [
        token({ iss: "https://login.test", sub: "alice" }),
        token({ iss: "https:", sub: "/login.test/alice" }),
        token({ iss: "https://b", sub: "x/y" }),
        token({ iss: "https://b/c", sub: "d" }),
        token({ iss: "x", sub: "root" }),
        token({ iss: "x", sub: "a/root" }),
      ],
      [
        {},
        token({ iss: "https://login.test" }),
        token({ sub: "alice" }),
        token({ iss: "https://login.test", sub: "bob" }),
        token({ iss: "https://b", sub: "" }),
        token({ iss: ["https://login.test"], sub: "alice" }),
        token({ iss: "", sub: "root" }),
      ],
    ),
  ),
  from(
    "any request principal",
    { requestPrincipals: ["*"] },
    both(
      [token({ iss: "a", sub: "b" })],
      [
        {},
        token({ iss: "a" }),
        token({ iss: "a", sub: 5 }),
        { headers: { authorization: "Bearer eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4Iiwic3ViIjoieSJ9." } },
      ],
    ),
  ),
  from(
    "no request principal",
    { notRequestPrincipals: ["*"] },
    both([{}, token({ iss: "a" })], [token({ iss: "a", sub: "b" })]),
  ),
];
