// `scrim x reach`: whether an address answers.
import { httpCall } from "../../local/http-call.ts";
import { parseAdminUrl } from "../asked-mesh/admin-url.ts";
import type { CommandContext } from "../context.ts";
import { commandFailure } from "../exit-codes.ts";

const ANSWER_WITHIN_MS = 5_000;
const POLL_MS = 1_000;
const TRIES = 30;

/** Asks until it answers 200. Throws CommandFailure where it does not. */
export async function reach(url: string, { clock, terminal }: CommandContext): Promise<void> {
  const [, origin = url, path = "/"] = /^(https?:\/\/[^/]+)(\/.*)?$/.exec(url) ?? [];
  const { address, port } = parseAdminUrl(origin);
  let said = "";
  for (let tries = 0; tries < TRIES; tries++) {
    const { status, body } = await httpCall({
      ...{ host: address, port, path, timeoutMs: ANSWER_WITHIN_MS },
      headers: { host: `${address}:${port}` },
    });
    if (status === 200) return terminal.out(`${url} answers.\n`);
    said = status === 0 ? "nothing" : `${status} ${body.slice(0, 200)}`;
    await clock.sleep(POLL_MS);
  }
  throw commandFailure("unreachable", `${url} answered ${said}.`);
}
