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
  /** Proxies that are connected to other control planes. */
  readonly elsewhere: number;
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

function distributedOf(reach: ObjectReach, isEarlier: boolean): Condition {
  const { concerned, reached, elsewhere, waiting, held } = reach;
  const others = elsewhere === 0 ? "" : `, ${elsewhere} more at other control planes`;
  const share = concerned + elsewhere === 0 ? "concerns no proxy" : `${reached} of ${proxies(concerned)}${others}`;
  const which = isEarlier ? `${share}, of its last good version` : share;
  if (held !== undefined) return condition("Distributed", "False", "Held", `${which}: ${held}`);
  if (reached < concerned)
    return condition("Distributed", "False", "Waiting", waiting === undefined ? which : `${which}; ${waiting}`);
  return condition("Distributed", "True", concerned + elsewhere === 0 ? "ConcernsNobody" : "Distributed", which);
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
