// A compiled configuration: limits, the buckets they have, what keys and costs are taken from.
import { Bytes, EMPTY, Region } from "as-proxy-wasm-sdk";
import { Clause, Condition } from "../policy/authorization-condition";
import { hash, HASH_SEED, spanOf } from "../policy/bytes";
import { Rate } from "../policy/gcra";
import { ClaimPath, ClaimValue } from "../policy/jwt-claims";
import { PathTemplate } from "../policy/path-template";
import { StringMatch } from "../policy/string-match";
import { Held } from "./held";
import { LimitCounts } from "./limit-counts";

const NO_NAME = new StaticArray<u8>(0);

/** What a part of a limit's key is taken from. */
export enum KeySource {
  Header,
  Principal,
  Namespace,
  ServiceAccount,
  Ip,
  RemoteIp,
  Path,
  /** Which of several templates the path matches. */
  PathTemplate,
  /** What `{*}` stands for in the path. */
  PathCapture,
  Route,
  Claim,
}

/** One part of a key. */
export class KeyPart {
  /** The header's name, for KeySource.Header. */
  name: StaticArray<u8> = NO_NAME;
  /** For KeySource.PathTemplate and PathCapture. */
  templates: PathTemplate[] = [];
  /** The templates as the service is told them. */
  templateTexts: StaticArray<u8>[] = [];
  /** For KeySource.Claim. */
  claim: ClaimPath | null = null;
  readonly claimValue: ClaimValue = new ClaimValue();
  /** Whether the value must be readable: overrides compare it, or a service is told it. */
  asText: bool = false;

  constructor(
    readonly source: KeySource,
    /** The name of the descriptor entry that a rate limit service gets for it. */
    readonly entry: StaticArray<u8>,
  ) {}
}

/** What a request takes out of a bucket. */
export class Cost {
  /** The header that says it; empty: always `otherwise`. */
  header: StaticArray<u8> = NO_NAME;
  least: i64 = 1;
  most: i64 = 1;
  /** Without the header. */
  otherwise: i64 = 1;
}

/** A bucket, or the family of buckets of a limit with a key. */
export class Bucket {
  /** What this worker holds of it; unused where the bucket is a family. */
  readonly held: Held = new Held();
  /** Start value for the hashes of this family's keys. */
  readonly seed: u64;
  constructor(
    /** `<limit>` or `<limit>/<override>`: names the bucket in logs. */
    readonly name: string,
    /** The name as a structured field's string, in quotes. */
    readonly label: Bytes,
    /** Whether each key has a bucket of its own. */
    readonly keyed: bool,
    readonly rate: Rate,
    /** The shared-data key, and what keyed buckets are told apart by; lives as long as the root. */
    readonly sharedKey: Bytes,
    secret: u64,
  ) {
    this.seed = hash(spanOf(sharedKey.ptr, sharedKey.length), HASH_SEED ^ secret);
  }
}

/** Callers, or keys, with a bucket of their own. */
export class Override {
  /** Null: whoever it is. */
  principals: Condition | null = null;
  /** One pattern for each part of the limit's key; empty: any key. Null stands for any value, an absent one too. */
  values: Array<StringMatch | null> = [];

  constructor(readonly bucket: Bucket) {}
}

/** Whom to ask about a limit that all proxies share. */
export class GlobalQuota {
  domain: Bytes;
  cluster: Bytes;
  /** What calls to it say in `:authority`; empty: the cluster's name. */
  authority: Bytes = EMPTY;
  timeoutMs: u32 = 0;
  /** How long an answer counts, in scaled time. */
  staleness: i64 = 0;
  /** Most tokens to take at once. */
  lease: i64 = 1;
  failure: FailureMode = FailureMode.Open;
  /** Entries that every descriptor begins with, encoded. */
  constants: Bytes;

  constructor(domain: Bytes, cluster: Bytes, constants: Bytes) {
    this.domain = domain;
    this.cluster = cluster;
    this.constants = constants;
  }
}

/** What happens to requests while the rate limit service does not answer. */
export enum FailureMode {
  Open,
  Closed,
  /** The limit's own bucket decides. */
  Local,
}

/** One limit. */
export class Limit {
  match: Clause = new Clause();
  key: KeyPart[] = [];
  overrides: Override[] = [];
  cost: Cost = new Cost();
  shadow: bool = false;
  /** What a refusal says. */
  status: u32 = 429;
  readonly refusalNames: Bytes[] = [];
  readonly refusalValues: Bytes[] = [];
  readonly counts: LimitCounts = new LimitCounts();
  global: GlobalQuota | null = null;
  /** `scrim_rate_limited[<name>]`, the response code details of a refusal. */
  readonly details: Bytes;

  constructor(
    readonly bucket: Bucket,
    region: Region,
  ) {
    this.details = region.keepString("scrim_rate_limited[" + bucket.name + "]");
  }
}

/** Which headers tell the client about its limits. */
export enum LimitHeaders {
  None,
  /** RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers from -08 on). */
  Draft,
  /** RateLimit-Limit, -Remaining, -Reset (the drafts up to -06). */
  Draft03,
  /** X-RateLimit-Limit, -Remaining, -Reset. */
  Legacy,
}

/** Everything a configuration says. */
export class Limits {
  list: Limit[] = [];
  headers: LimitHeaders = LimitHeaders.None;
  /** Whether any limit asks a service. */
  hasGlobal: bool = false;
  /** The most key parts that a limit has. */
  mostParts: i32 = 0;
}
