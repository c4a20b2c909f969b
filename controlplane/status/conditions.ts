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
  /** One proxy that has not got there, and why, as in `web-1.shop has not acknowledged rds`. */
  readonly waiting: string | undefined;
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
  const isWrong = errors.length > 0;
  return [
    acceptedOf(judged),
    ...(reach === undefined ? [] : [distributedOf(reach, isWrong)]),
    ...(isWrong ? [rejectedOf(reach)] : []),
  ];
}

function acceptedOf({ errors, warnings }: Judged): Condition {
  if (errors.length > 0) return condition("Accepted", "False", "Invalid", sentences(errors));
  const reason = warnings.length > 0 ? "AcceptedWithWarnings" : "Accepted";
  return condition("Accepted", "True", reason, sentences(warnings));
}

function rejectedOf(reach: ObjectReach | undefined): Condition {
  const instead = reach === undefined ? "nothing of it is in force" : "its last good version is served instead";
  return condition("Rejected", "True", "Invalid", instead);
}

function distributedOf({ concerned, reached, waiting, held }: ObjectReach, isEarlier: boolean): Condition {
  const which = isEarlier ? ", of its last good version" : "";
  const share = concerned === 0 ? `concerns no proxy${which}` : `${reached} of ${proxies(concerned)}${which}`;
  if (held !== undefined) return condition("Distributed", "False", "Held", `${share}: ${held}`);
  if (reached >= concerned) {
    const reason = concerned === 0 ? "ConcernsNobody" : "Distributed";
    return condition("Distributed", "True", reason, share);
  }
  return condition("Distributed", "False", "Waiting", waiting === undefined ? share : `${share}; ${waiting}`);
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
