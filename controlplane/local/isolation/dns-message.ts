// As much of a DNS message (RFC 1035, section 4.1) as one needs to pass it on, or to say that there is no answer.

const HEADER_BYTES = 12;
const LONGEST_LABEL = 63;
const IS_ANSWER = 0x80;
const RECURSION_AVAILABLE = 0x80;

/** No such name; and: no server could be asked. */
export type NoAnswer = "NXDOMAIN" | "SERVFAIL";

const CODES: Readonly<Record<NoAnswer, number>> = { NXDOMAIN: 3, SERVFAIL: 2 };

/** Returns the name that a message asks for, in lower case and without a dot at its end; undefined where it asks none. */
export function questionName(message: Buffer): string | undefined {
  const labels: string[] = [];
  for (let at = HEADER_BYTES; at < message.length; ) {
    const length = message[at] ?? 0;
    if (length === 0) return labels.join(".");
    if (length > LONGEST_LABEL) return undefined;
    labels.push(message.toString("latin1", at + 1, at + 1 + length).toLowerCase());
    at += 1 + length;
  }
  return undefined;
}

/** Returns the reply to a question that says why there is no answer. */
export function encodeNoAnswer(question: Buffer, why: NoAnswer): Buffer {
  const reply = Buffer.from(question);
  reply[2] = (reply[2] ?? 0) | IS_ANSWER;
  reply[3] = RECURSION_AVAILABLE | CODES[why];
  return reply;
}
