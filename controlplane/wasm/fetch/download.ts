// Bytes from an HTTP or HTTPS URL.
import { type HttpClient, shownUrl } from "./http-client.ts";

export type Download =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly message: string };

/** Returns the body of a 200 answer that comes within `timeoutMs`, redirects included. */
export async function download(
  http: HttpClient,
  url: string,
  { maxBytes, timeoutMs }: { readonly maxBytes: number; readonly timeoutMs: number },
): Promise<Download> {
  const deadline = AbortSignal.timeout(timeoutMs);
  const answer = await http.request({ url, maxBytes, deadline, headers: { accept: "application/wasm, */*" } });
  if (answer.kind === "failed")
    return { ok: false, message: deadline.aborted ? `${answer.message} (${timeoutMs} ms)` : answer.message };
  return answer.status === 200
    ? { ok: true, bytes: answer.bytes }
    : { ok: false, message: `${shownUrl(url)}: answered ${answer.status}` };
}
