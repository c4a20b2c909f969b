import { isIPv4, isIPv6 } from "node:net";
import { describe, expect, it } from "vitest";
import { allocateAddresses } from "./allocated-address.ts";

const names = Array.from({ length: 3_000 }, (_, index) => `default/host-${index}.example.com`);

describe("allocateAddresses", () => {
  const all = allocateAddresses(names);

  it("gives each name an address of its own in each family, in Istio's ranges", () => {
    const v4 = [...all.values()].map((one) => one.v4),
      v6 = [...all.values()].map((one) => one.v6);
    expect(new Set(v4).size).toBe(names.length);
    expect(new Set(v6).size).toBe(names.length);
    expect(v4.filter((address) => !isIPv4(address) || !address.startsWith("240.240."))).toEqual([]);
    expect(v4.filter((address) => /\.(?:0|255)$/.test(address))).toEqual([]);
    expect(v6.filter((address) => !isIPv6(address) || !address.startsWith("2001:2:0:"))).toEqual([]);
  });

  it("changes nobody's when others come", () => {
    const before = allocateAddresses(names.slice(0, 2_000));
    for (const [name, address] of before) expect(all.get(name), name).toEqual(address);
  });

  it("changes hardly anybody's when others go", () => {
    const left = names.filter((_, index) => index % 2 === 1);
    const after = allocateAddresses(left);
    const moved = left.filter((name) => after.get(name)?.v4 !== all.get(name)?.v4);
    expect(moved.length).toBeLessThan(left.length / 20);
    expect(left.filter((name) => after.get(name)?.v6 !== all.get(name)?.v6)).toEqual([]);
  });
});
