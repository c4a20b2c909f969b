import { expect, it } from "vitest";
import { refusalsOf } from "./evidence.ts";
import type { ConnectedProxy } from "../xds/server.ts";

const refusing = (blame: ConnectedProxy["rejections"][number]["blame"], atMs = 5): ConnectedProxy =>
  ({
    pod: "web-1",
    namespace: "shop",
    rejections: [
      {
        type: "ecds",
        resources: ["extensions.istio.io/wasmplugin/shop.stamp"],
        message: "no such import",
        atMs,
        blame,
      },
    ],
  }) as unknown as ConnectedProxy;

it.each(["content", "repeated", "unconfirmed"] as const)("a rejection that is %s takes a version back", (blame) => {
  expect(refusalsOf([refusing(blame)])("shop/stamp", 5)).toBe("web-1.shop refused it: no such import");
});

it.each(["proxy", "examined"] as const)("one proxy's word that is %s takes nothing back from the others", (blame) => {
  expect(refusalsOf([refusing(blame)])("shop/stamp", 0)).toBeUndefined();
});

it("what two proxies reject each by itself takes a version back", () => {
  expect(refusalsOf([refusing("proxy"), { ...refusing("proxy"), pod: "web-2" }])("shop/stamp", 5)).toBe(
    "web-1.shop refused it: no such import",
  );
});

it("what another plugin or an earlier version was rejected for takes nothing back", () => {
  expect(refusalsOf([refusing("content")])("shop/other", 0)).toBeUndefined();
  expect(refusalsOf([refusing("content")])("shop/stamp", 6)).toBeUndefined();
});
