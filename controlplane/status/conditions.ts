// What an object's status says of it: whether it was accepted, which proxies have it, and what is refused. Pure.

/** As in Kubernetes' conditions; when it became so is the writer's affair. */
export interface Condition {
  readonly type: "Accepted" | "Distributed" | "Rejected";
  readonly status: "True" | "False";
  /** One word, in capitals and small letters. */
  readonly reason: string;
  readonly message: string;
}

/** How far an object's content has come. */
export interface ObjectReach {
  readonly concerned: number;
  readonly reached: number;
  /** Why proxies have not got there: some of them. */
  readonly waiting: readonly { readonly proxy: string; readonly why: string }[];
  /** Those that refuse something of what they are told, and what they say. */
  readonly refusing: readonly { readonly proxy: string; readonly why: string }[];
  /** Why not even those that have all they were told have what it says. */
  readonly held?: string | undefined;
}

/** What is known of an object. */
export interface Judged {
  /** What is wrong with its newest version, as `field: message`; then that version is in force nowhere. */
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
  /** Undefined where nothing of it is in force. */
  readonly reach: ObjectReach | undefined;
}

const MOST_SENTENCES = 5;
const LONGEST_MESSAGE = 2_000;

/** Returns the conditions of an object, in a constant order. */
export function conditionsOf(judged: Judged): readonly Condition[] {
  const { errors, reach } = judged;
  const rejected =
    errors.length > 0 ? rejectedAsInvalid(reach) : reach && reach.refusing.length > 0 ? refusedByProxies(reach) : [];
  return [acceptedOf(judged), ...(reach === undefined ? [] : [distributedOf(reach, errors.length > 0)]), ...rejected];
}

function acceptedOf({ errors, warnings }: Judged): Condition {
  if (errors.length > 0) return condition("Accepted", "False", "Invalid", sentences(errors));
  const reason = warnings.length > 0 ? "AcceptedWithWarnings" : "Accepted";
  return condition("Accepted", "True", reason, sentences(warnings));
}

function rejectedAsInvalid(reach: ObjectReach | undefined): readonly Condition[] {
  const instead = reach === undefined ? "nothing of it is in force" : "its last good version is served instead";
  return [condition("Rejected", "True", "Invalid", instead)];
}

function refusedByProxies({ concerned, refusing }: ObjectReach): readonly Condition[] {
  const [first] = refusing;
  const message = `${refusing.length} of ${proxies(concerned)} refuse it and keep what they had; ${first?.proxy}: ${first?.why}`;
  return [condition("Rejected", "True", "RefusedByProxies", message)];
}

function distributedOf({ concerned, reached, waiting, held }: ObjectReach, isEarlier: boolean): Condition {
  const which = isEarlier ? ", of its last good version" : "";
  const share = concerned === 0 ? `concerns no proxy${which}` : `${reached} of ${proxies(concerned)}${which}`;
  if (held !== undefined) return condition("Distributed", "False", "Held", `${share}: ${held}`);
  if (reached >= concerned) {
    const reason = concerned === 0 ? "ConcernsNobody" : "Distributed";
    return condition("Distributed", "True", reason, share);
  }
  const [first] = waiting;
  const why = first === undefined ? "" : `; ${first.proxy} ${first.why}`;
  return condition("Distributed", "False", "Waiting", `${share}${why}`);
}

function proxies(count: number): string {
  return `${count} ${count === 1 ? "proxy" : "proxies"}`;
}

function sentences(all: readonly string[]): string {
  const more = all.length > MOST_SENTENCES ? `; and ${all.length - MOST_SENTENCES} more` : "";
  return `${all.slice(0, MOST_SENTENCES).join("; ")}${more}`;
}

function condition(type: Condition["type"], status: Condition["status"], reason: string, message: string): Condition {
  return { type, status, reason, message: message.slice(0, LONGEST_MESSAGE) };
}
