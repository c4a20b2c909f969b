// The policy code as a module that Node can call: patterns as strings, what a client could send as bytes.
import { ABSENT, hash as hashOf, HASH_SEED, isUtf8 as isUtf8Of, Span, spanOf, textOf, utf8, viewOf } from "../bytes";
import { IpAddress, parseCidr } from "../cidr";
import { ClaimKind, ClaimValue, MetadataReader, parseClaimKey, requestPrincipal } from "../jwt-claims";
import {
  codeOfStep,
  Rate,
  rescaled,
  returnTokens,
  scaled,
  settledState,
  stepOfCode,
  takeTokens,
  tokensLeft,
  waitNs,
} from "../gcra";
import { leaseSize, Reserve } from "../reserve";
import { compileTemplate } from "../path-template";
import { PeerMetadata, StructWriter } from "../peer-metadata";
import { Principal } from "../principal";
import { compileRegex, Regex, work } from "../regex/regex";
import { cookieValue, hostOf, pathOf, queryOf, queryParameter } from "../request-text";
import { claimEntry, lastEvictionLost } from "../slots";
import { createWildcardMatch } from "../string-match";

function view(buffer: ArrayBuffer): Span {
  return spanOf(changetype<usize>(buffer), buffer.byteLength);
}

/** "absent" is told from the empty string by a leading "=". */
function shown(value: Span): string {
  return value == ABSENT ? "absent" : "=" + textOf(value);
}

let regex: Regex | null = null;

/** Returns the error of a pattern, or "". The pattern stays compiled for `regexMatches`. */
export function regexCompile(pattern: string): string {
  const result = compileRegex(pattern);
  regex = result.regex;
  return result.error;
}

export function regexMatches(text: ArrayBuffer): bool {
  const compiled = regex;
  return compiled != null && compiled.matches(view(text));
}

export function regexSize(): i32 {
  const compiled = regex;
  return compiled == null ? 0 : compiled.size;
}

/** Bytes looked up and instructions followed since the module began. */
export function regexWork(): i64 {
  return work;
}

export function wildcard(pattern: string, ignoreCase: bool, value: ArrayBuffer): bool {
  return createWildcardMatch(pattern, ignoreCase).matches(view(value));
}

export function templateError(pattern: string): string {
  return compileTemplate(pattern).error;
}

export function templateMatches(pattern: string, path: ArrayBuffer): bool {
  const template = compileTemplate(pattern).template;
  return template != null && template.matches(view(path));
}

/** 1 inside, 0 outside, -1 when the block is none. */
export function cidrContains(block: string, address: ArrayBuffer): i32 {
  const cidr = parseCidr(block);
  if (cidr == null) return -1;
  const ip = new IpAddress();
  ip.read(view(address));
  return cidr.contains(ip) ? 1 : 0;
}

/** The address in hexadecimal, or "invalid". */
export function address(text: ArrayBuffer): string {
  const ip = new IpAddress();
  ip.read(view(text));
  return ip.valid ? ip.high.toString(16) + ":" + ip.low.toString(16) : "invalid";
}

export function principal(uri: ArrayBuffer): string {
  const read = new Principal();
  read.read(view(uri));
  return [shown(read.name), shown(read.trustDomain), shown(read.namespace), shown(read.serviceAccount)].join(" ");
}

export function path(target: ArrayBuffer): string {
  return shown(pathOf(view(target)));
}

export function query(target: ArrayBuffer, name: string): string {
  return shown(queryParameter(queryOf(view(target)), viewOf(utf8(name))));
}

export function cookie(header: ArrayBuffer, name: string): string {
  return shown(cookieValue(view(header), viewOf(utf8(name))));
}

export function host(authority: ArrayBuffer): string {
  return shown(hostOf(view(authority)));
}

export function hash(value: ArrayBuffer): u64 {
  return hashOf(view(value), HASH_SEED);
}

export function isUtf8(value: ArrayBuffer): bool {
  return isUtf8Of(view(value));
}

let rate: Rate = new Rate(1, 1, 1);
let fullAt: i64 = 0;
let reserves: Reserve[] = [];

export function rateFits(tokens: i64, intervalNs: i64, burst: i64): bool {
  return Rate.fits(tokens, intervalNs, burst);
}

export function bucketStart(tokens: i64, intervalNs: i64, burst: i64, workers: i32): void {
  rate = new Rate(tokens, intervalNs, burst);
  fullAt = 0;
  reserves = [];
  for (let i = 0; i < workers; i++) reserves.push(new Reserve());
}

/** A change of the limit; the bucket's state stays, in the terms of the new one. */
export function bucketChange(tokens: i64, intervalNs: i64, burst: i64, nowNs: i64): void {
  const before = rate.step;
  rate = new Rate(tokens, intervalNs, burst);
  fullAt = rescaled(rate, fullAt, scaled(nowNs), before);
  for (let i = 0; i < reserves.length; i++) reserves[i].drop();
}

/** A step through its 16-bit code and back. */
export function stepCoded(step: i64): i64 {
  return stepOfCode(codeOfStep(step));
}

/** One request of `cost` at a worker, with leases as the filter takes them. */
export function bucketAdmit(worker: i32, nowNs: i64, cost: i64): bool {
  const now = scaled(nowNs);
  const reserve = reserves[worker];
  if (reserve.spend(rate, now, cost, rate.share)) return true;
  const lease = leaseSize(rate, fullAt, now, cost, reserve.left(rate, now));
  const next = takeTokens(rate, fullAt, now, lease);
  if (next < 0) {
    fullAt = settledState(rate, fullAt, now);
    return reserve.spend(rate, now, cost, 0);
  }
  reserve.add(rate, now, lease - cost, fullAt);
  fullAt = next;
  return true;
}

export function bucketLeft(nowNs: i64): i64 {
  return tokensLeft(rate, fullAt, scaled(nowNs));
}

export function bucketReserve(worker: i32, nowNs: i64): i64 {
  return reserves[worker].left(rate, scaled(nowNs));
}

export function bucketReturn(nowNs: i64, count: i64): void {
  fullAt = returnTokens(rate, fullAt, scaled(nowNs), count);
}

export function bucketWait(nowNs: i64, count: i64): i64 {
  return waitNs(rate, fullAt, scaled(nowNs), count);
}

/**
 * Claims an entry in the slot, of which `size` bytes are used (of 256); returns its offset, plus 1000 when a bucket in
 * use was forgotten.
 */
export function slotClaim(slot: ArrayBuffer, size: i32, fingerprint: u64, now: i64): i32 {
  const at = claimEntry(changetype<usize>(slot), size, fingerprint, now);
  return lastEvictionLost() ? at + 1000 : at;
}

export function peer(header: ArrayBuffer): string {
  const metadata = new PeerMetadata();
  if (!metadata.read(view(header))) return "refused";
  return [
    metadata.workload,
    metadata.namespace,
    metadata.cluster,
    metadata.app,
    metadata.version,
    metadata.canonicalName,
    metadata.canonicalRevision,
  ]
    .map<string>((part) => shown(part))
    .join(" ");
}

export function peerEncode(workload: string, namespace: string, app: string): string {
  const labels = new StructWriter();
  labels.addString(viewOf(utf8("app")), viewOf(utf8(app)));
  const writer = new StructWriter();
  writer.addString(viewOf(utf8("WORKLOAD_NAME")), viewOf(utf8(workload)));
  writer.addString(viewOf(utf8("NAMESPACE")), viewOf(utf8(namespace)));
  writer.addStruct(viewOf(utf8("LABELS")), labels);
  return textOf(viewOf(writer.toBase64()));
}

/** Metadata of one key: the bytes at its path, and at step 0 of it. */
class OneKey extends MetadataReader {
  constructor(
    private readonly whole: ArrayBuffer | null,
    private readonly first: ArrayBuffer | null,
  ) {
    super();
  }

  override read(path: Span): Span {
    const end = changetype<usize>(<usize>(path & 0xffffffff)) + <usize>(path >> 32);
    const isFirst = load<u8>(end - 1) == 0x30 && load<u8>(end - 2) == 0;
    const found = isFirst ? this.first : this.whole;
    return found == null ? ABSENT : view(found);
  }
}

const claimValue = new ClaimValue();

/** What a claim reads as, `first` being what stands at its step 0; an error begins with "!". */
export function claim(key: string, whole: ArrayBuffer, first: ArrayBuffer, hasFirst: bool): string {
  const parsed = parseClaimKey(key);
  const path = parsed.path;
  if (path == null) return "!" + parsed.error;
  path.read(new OneKey(whole, hasFirst ? first : null), claimValue);
  switch (claimValue.kind) {
    case ClaimKind.Text:
      return "text " + textOf(claimValue.text);
    case ClaimKind.Number:
      return "number " + claimValue.number.toString();
    case ClaimKind.Boolean:
      return claimValue.flag ? "true" : "false";
    case ClaimKind.List: {
      const items: string[] = [];
      for (let i = 0; i < claimValue.items.count; i++) items.push(textOf(claimValue.items.at(i)));
      return "list " + items.join("|");
    }
    case ClaimKind.Odd:
      return "odd";
    default:
      return "absent";
  }
}

/** Every claim reads as the same bytes, so this is `<bytes>/<bytes>` for a text. */
export function claimPrincipal(whole: ArrayBuffer): string {
  return shown(requestPrincipal(new OneKey(whole, null)));
}
