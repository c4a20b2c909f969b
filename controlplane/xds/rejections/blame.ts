// Contents that some proxy rejected, and whose fault that is as far as anybody knows: the content's, or that proxy's
// own.
import type { EncodedResource } from "../../snapshot/encode.ts";
import { mayRelent } from "./nack.ts";

/**
 * "examined": for a moment nobody else is sent it, while an Envoy that serves nobody tries it. "content": that Envoy
 * could not load it either. "proxy": it loads elsewhere, so each rejection is that proxy's own, however many there are.
 * Where nobody could tell: "repeated" when two proxies rejected it, else "unconfirmed".
 */
export type Blame = "examined" | "content" | "repeated" | "proxy" | "unconfirmed";

/** Whether a content with this blame is kept from proxies that did not reject it themselves. */
export function isHeldBack(blame: Blame | undefined): boolean {
  return blame === "examined" || blame === "content" || blame === "repeated";
}

/** A content, told without its bytes: what nobody has any more is not to be held for having been rejected once. */
export type NamedContent = Pick<EncodedResource, "kind" | "name" | "version">;

export interface RejectedContent {
  readonly resource: NamedContent;
  /** Of the last proxy that rejected it, what it said, and when. */
  readonly classKey: string;
  readonly reason: string;
  readonly atMs: number;
  readonly blame: Blame;
  /** Some proxy has taken it. */
  readonly isAccepted: boolean;
  /** Pods (`namespace/name`) that rejected it: it is not offered to them again. */
  readonly rejectedBy: ReadonlySet<string>;
  /** Those of them whose word counts for others. */
  readonly witnesses: ReadonlySet<string>;
}

/** What one proxy of a class said of one content. */
export interface ProxyRejection {
  readonly classKey: string;
  readonly pod: string;
  readonly reason: string;
  readonly atMs: number;
  /** Its word counts for others: it proved who it is, or nobody here has to. */
  readonly isBelieved: boolean;
  readonly isHeldByAnother: boolean;
}

/** What was found out of a content before any proxy was sent it; the class is one that it was made for. */
export type Refusal = Pick<ProxyRejection, "classKey" | "reason" | "atMs">;

export interface RejectedContents {
  readonly size: number;
  of(version: string): RejectedContent | undefined;
  all(): Iterable<RejectedContent>;
  /** A proxy has rejected the content. */
  reject(resource: NamedContent, rejection: ProxyRejection): RejectedContent;
  /** No Envoy loads the content, and no proxy was sent it. */
  refuse(resource: NamedContent, refusal: Refusal): RejectedContent;
  /** Another Envoy has said whether it loads the content; undefined: that could not be found out in time. */
  judge(version: string, loads: boolean | undefined): RejectedContent | undefined;
  /** What made it bad may be another now: nothing is known of it. */
  forget(version: string): void;
  /** Those that proxies rejected for want of something on their machines are offered to them again; whether any is. */
  offerAgain(): boolean;
  /** A proxy has taken the content. */
  accept(version: string): RejectedContent | undefined;
}

const MAX_REMEMBERED = 1_000;

/** None yet. */
export function createRejectedContents(): RejectedContents {
  const known = new Map<string, RejectedContent>();
  const put = (content: RejectedContent): RejectedContent => {
    known.set(content.resource.version, content);
    if (known.size > MAX_REMEMBERED) known.delete(leastWanted(known, content));
    return content;
  };
  return {
    get size() {
      return known.size;
    },
    of: (version) => known.get(version),
    all: () => known.values(),
    reject: (resource, rejection) => put(afterRejection(known.get(resource.version), resource, rejection)),
    refuse({ kind, name, version }, { classKey, reason, atMs }) {
      const nobody = { rejectedBy: NOBODY, witnesses: NOBODY, isAccepted: false };
      const resource = { kind, name, version };
      return known.get(version) ?? put({ resource, classKey, reason, atMs, blame: "content", ...nobody });
    },
    judge(version, loads) {
      const before = known.get(version);
      if (before === undefined || before.isAccepted) return before;
      if (loads === false) return put({ ...before, blame: "content" });
      if (loads === true) return put({ ...before, blame: "proxy" });
      return before.blame === "examined" ? put({ ...before, blame: "unconfirmed" }) : before;
    },
    forget: (version) => void known.delete(version),
    offerAgain() {
      const found = [...known.values()].filter(
        ({ blame, rejectedBy, reason }) => !isHeldBack(blame) && rejectedBy.size > 0 && mayRelent(reason),
      );
      for (const content of found) put({ ...content, rejectedBy: NOBODY });
      return found.length > 0;
    },
    accept(version) {
      const before = known.get(version);
      if (before === undefined || (before.isAccepted && before.blame === "proxy")) return before;
      return put({ ...before, blame: "proxy", isAccepted: true });
    },
  };
}

const NOBODY: ReadonlySet<string> = new Set();

function afterRejection(
  before: RejectedContent | undefined,
  { kind, name, version }: NamedContent,
  rejection: ProxyRejection,
): RejectedContent {
  const { pod, isBelieved, isHeldByAnother } = rejection;
  const witnesses = isBelieved ? new Set(before?.witnesses).add(pod) : (before?.witnesses ?? NOBODY);
  // What somebody unknown says takes no other's word away.
  const { classKey, reason, atMs } = isBelieved || before === undefined ? rejection : before;
  return {
    resource: { kind, name, version },
    classKey,
    reason,
    atMs,
    blame: blameAfter(before, witnesses, rejection),
    witnesses,
    rejectedBy: new Set(before?.rejectedBy).add(pod),
    isAccepted: isHeldByAnother || before?.isAccepted === true,
  };
}

function blameAfter(
  before: RejectedContent | undefined,
  witnesses: ReadonlySet<string>,
  { isBelieved, isHeldByAnother }: ProxyRejection,
): Blame {
  // What another proxy holds is not bad in itself, whatever one says of it.
  if (isHeldByAnother) return "proxy";
  if (before?.blame === "content" || before?.blame === "proxy") return before.blame;
  if (witnesses.size > 1) return "repeated";
  if (before !== undefined && (before.blame !== "unconfirmed" || before.witnesses.size === witnesses.size))
    return before.blame;
  return isBelieved ? "examined" : "unconfirmed";
}

/**
 * One that holds nothing back for others goes before one that does: who rejects everything is not to push out what is
 * bad.
 */
function leastWanted(known: ReadonlyMap<string, RejectedContent>, newest: RejectedContent): string {
  for (const [version, { blame }] of known)
    if (!isHeldBack(blame) && version !== newest.resource.version) return version;
  return known.keys().next().value!;
}
