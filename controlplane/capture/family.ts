/** An address family, and its addresses that rules speak of. */
export interface Family {
  readonly version: 4 | 6;
  readonly loopback: string;
  /** From here the proxy calls the application: what comes from it was captured already. */
  readonly fromProxy: string;
  /** Whether a range (CIDR or address) is one of this family. */
  has(range: string): boolean;
}

export const IPV4: Family = {
  version: 4,
  loopback: "127.0.0.1/32",
  fromProxy: "127.0.0.6/32",
  has: (range) => !range.includes(":"),
};

export const IPV6: Family = {
  version: 6,
  loopback: "::1/128",
  fromProxy: "::6/128",
  has: (range) => range.includes(":"),
};
