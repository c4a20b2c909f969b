// Bytes from an HTTP or HTTPS URL.
import { type Failure, failed } from "../../model/failure.ts";
import { type HttpClient, shownUrl } from "./http-client.ts";

/** Returns the body of a 200 answer that comes within `timeoutMs`, redirects included. */
export async function download(
  http: HttpClient,
  url: string,
  { maxBytes, timeoutMs }: { readonly maxBytes: number; readonly timeoutMs: number },
): Promise<Uint8Array | Failure> {
  const deadline = AbortSignal.timeout(timeoutMs);
  const answer = await http.request({ url, maxBytes, deadline, headers: { accept: "application/wasm, */*" } });
  if (answer.kind === "failed")
    return failed(answer.code, deadline.aborted ? `${answer.message} (${timeoutMs} ms)` : answer.message);
  return answer.status === 200 ? answer.bytes : failed("http-status", `${shownUrl(url)}: answered ${answer.status}`);
}
