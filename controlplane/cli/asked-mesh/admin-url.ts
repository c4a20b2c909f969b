import { parseAddress } from "../../settings/address.ts";
import { commandFailure } from "../exit-codes.ts";

/** Returns the address in `http://HOST:PORT`. Throws CommandFailure. */
export function parseAdminUrl(text: string): { readonly address: string; readonly port: number } {
  const authority = text.replace(/^http:\/\//, "").replace(/\/$/, "");
  const address = parseAddress(authority) ?? parseAddress(`${authority}:80`);
  if (address === undefined) throw commandFailure("usage", `${text} is not an address: write http://HOST:PORT.`);
  return address;
}
