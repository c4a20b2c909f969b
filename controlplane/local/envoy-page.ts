import { parseAddress } from "../settings/address.ts";
import { httpCall } from "./http-call.ts";

const TIMEOUT_MS = 2_000;

/** Returns a page of an Envoy's admin address (`host:port`); undefined when there is no good answer in time. */
export async function readEnvoyPage(address: string, path: string): Promise<string | undefined> {
  const at = parseAddress(address);
  if (at === undefined) return undefined;
  const { status, body } = await httpCall({ host: at.address, port: at.port, path, timeoutMs: TIMEOUT_MS });
  return status === 200 ? body : undefined;
}
