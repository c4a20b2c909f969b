// For whom contents are looked up and acceptances noted, and what a stream of its kind is to have.
import type { EncodedMap, EncodedResources } from "../snapshot/encode.ts";
import type { Proxy } from "./node.ts";
import { plainRoutes } from "./plain-routes.ts";
import type { ContentMaps } from "./state-machine/stream-events.ts";
import type { XdsStream } from "./stream.ts";

/** The class whose content it is served, and the pod (`namespace/name`). */
export interface Recipient {
  readonly classKey: string;
  readonly pod: string;
}

/** Under what a stream's acceptances are noted: a route with its hosts inside is another content than one without. */
export function recipientOf(stream: XdsStream): Recipient {
  const { published, kind, proxy } = stream;
  const known = recipients.get(stream);
  if (known !== undefined && known.proxy === proxy && known.of === published?.classKey) return known.recipient;
  const recipient = {
    classKey: `${kind.dialect}/${published?.classKey ?? ""}`,
    pod: proxy === undefined ? "" : podKey(proxy),
  };
  recipients.set(stream, { proxy, of: published?.classKey, recipient });
  return recipient;
}

/** Long texts that are looked up by at every change and acknowledgement of each stream. */
const recipients = new WeakMap<
  XdsStream,
  { readonly proxy: Proxy | undefined; readonly of: string | undefined; readonly recipient: Recipient }
>();

/** Text that stands for a proxy's pod; who only says that it is one is not that one. */
export function podKey({ identity, isProven }: Proxy): string {
  return `${isProven ? "" : "said/"}${identity.namespace}/${identity.pod}`;
}

const NONE: EncodedMap = new Map();

/** What a stream of its kind is to have. */
export function contentOf(
  { kind }: Pick<XdsStream, "kind">,
  { maps }: EncodedResources,
  secrets: EncodedMap,
): ContentMaps {
  if (kind.dialect === "delta") return { ...maps, secrets };
  return { ...maps, routes: plainRoutes(maps.routes, maps.virtualHosts), virtualHosts: NONE, secrets };
}
