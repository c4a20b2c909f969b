// consumes: what proxies say of themselves whose pods no document describes
// produces: what they are taken for, at most so many different things
// never does: believe where they are from; that is proven, or the plaintext port's
import { createHash } from "node:crypto";
import { isIP } from "node:net";
import type { UndescribedProxy } from "./proxy-class.ts";
import type { Proxy } from "../xds/node.ts";

/**
 * What a pod may say of itself, one thing after another, before it is taken for what it said last: each is a class of
 * its own, with content of its own.
 */
const MOST_OF_A_POD = 16;
/** Pods that are remembered, the newest: their names come and go for as long as the control plane runs. */
const MOST_PODS = 10_000;
/** And all that come by the plaintext port within an hour, where anybody may be anything. */
const MOST_UNPROVEN = 1_000;
const HOUR_MS = 3_600_000;
/** Labels of more than this are nobody's. */
const MAX_LABELS_LENGTH = 16 * 1024;

/**
 * Returns what such a proxy is taken for, for as long as its stream lasts; undefined for one thing too many, of which
 * `warn` is told once.
 */
export function createUndescribedProxies(
  warn: (problem: string) => void,
  clock: { monotonicMs(): number },
): (proxy: Proxy) => UndescribedProxy | undefined {
  const known = new WeakMap<Proxy, { readonly answer: UndescribedProxy | undefined }>();
  const pods = new Map<string, { readonly said: Set<string>; last: UndescribedProxy }>();
  /** With when they came last, who came last at the end. */
  const unproven = new Map<string, number>();
  let isWarned = false;
  const isAdmitted = (text: string): boolean => {
    const nowMs = clock.monotonicMs();
    for (const [one, atMs] of unproven) {
      if (nowMs - atMs < HOUR_MS) break;
      unproven.delete(one);
      isWarned = false;
    }
    if (!unproven.delete(text) && unproven.size >= MOST_UNPROVEN) return false;
    unproven.set(text, nowMs);
    return true;
  };
  const heard = (proxy: Proxy): UndescribedProxy | undefined => {
    const now = describe(proxy);
    if (now === undefined) return undefined;
    const text = createHash("sha256").update(JSON.stringify(now)).digest("base64");
    if (!proxy.isProven) return isAdmitted(text) ? now : undefined;
    const key = `${now.namespace}/${proxy.identity.pod}`;
    const pod = pods.get(key) ?? { said: new Set<string>(), last: now };
    pods.delete(key);
    pods.set(key, pod);
    if (pods.size > MOST_PODS) pods.delete(pods.keys().next().value!);
    if (take(pod.said, text, MOST_OF_A_POD)) pod.last = now;
    return pod.last;
  };
  return (proxy) => {
    let kept = known.get(proxy);
    if (kept === undefined) known.set(proxy, (kept = { answer: heard(proxy) }));
    if (kept.answer === undefined && !isWarned) {
      isWarned = true;
      warn(
        `${proxy.node.id} is not served: its labels are longer than ${MAX_LABELS_LENGTH} characters, or more than ` +
          `${MOST_UNPROVEN} different proxies came by the plaintext port within an hour; it may come again later.`,
      );
    }
    return kept.answer;
  };
}

/** Whether the text is one of so many. */
function take(texts: Set<string>, text: string, most: number): boolean {
  if (texts.has(text)) return true;
  if (texts.size >= most) return false;
  texts.add(text);
  return true;
}

function describe({ identity, node }: Proxy): UndescribedProxy | undefined {
  const { namespace, serviceAccount, pod } = identity;
  const said = node.metadata["LABELS"];
  const labels =
    typeof said === "object" && said !== null
      ? Object.fromEntries(
          Object.entries(said).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
        )
      : {};
  if (JSON.stringify(labels).length > MAX_LABELS_LENGTH) return undefined;
  const { WORKLOAD_NAME: workload, INTERCEPTION_MODE: capture, INSTANCE_IPS: ips } = node.metadata;
  const moreIps = (typeof ips === "string" ? ips.split(",") : []).filter((ip) => isIP(ip) !== 0 && ip !== node.ip);
  return {
    kind: node.kind,
    namespace,
    serviceAccount,
    workload: typeof workload === "string" ? workload : pod,
    labels,
    ip: node.ip,
    ...(moreIps.length > 0 && { moreIps }),
    ...((capture === "REDIRECT" || capture === "TPROXY") && { capture }),
  };
}
