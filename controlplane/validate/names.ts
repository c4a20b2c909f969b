// Names and labels as Kubernetes allows them. Each check returns what is wrong, or undefined.
import { quote } from "./formats.ts";

const DNS_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const DNS_SUBDOMAIN = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
const QUALIFIED_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Returns what is wrong with a DNS label: a namespace or a service's name. */
export function dnsLabelFault(text: string): string | undefined {
  return DNS_LABEL.test(text)
    ? undefined
    : `must be at most 63 lower case letters, digits and dashes, not ${quote(text)}`;
}

/** Returns what is wrong with the name of an object. */
export function objectNameFault(text: string): string | undefined {
  return text.length <= 253 && DNS_SUBDOMAIN.test(text)
    ? undefined
    : `must be at most 253 lower case letters, digits, dashes and dots, not ${quote(text)}`;
}

/** Returns what is wrong with the key of a label or annotation. */
export function labelKeyFault(key: string): string | undefined {
  const slash = key.indexOf("/");
  const prefix = slash < 0 ? undefined : key.slice(0, slash);
  const name = key.slice(slash + 1);
  if (QUALIFIED_NAME.test(name) && (prefix === undefined || objectNameFault(prefix) === undefined)) return undefined;
  return `${quote(key)} cannot be the key of a label`;
}

/** Returns what is wrong with the value of a label. */
export function labelValueFault(value: string): string | undefined {
  if (value === "" || QUALIFIED_NAME.test(value)) return undefined;
  const form = "letters, digits, dashes, dots and underscores, beginning and ending with a letter or digit";
  return `must be at most 63 ${form}, not ${quote(value)}`;
}

/** What HTTP/2 says of a request beside its headers, and Envoy lets one match as if they were some. */
export const PSEUDO_HEADERS: ReadonlySet<string> = new Set([":authority", ":method", ":path", ":scheme"]);

/** Returns what is wrong with the name of a header or method (RFC 9110's token). */
export function tokenFault(text: string): string | undefined {
  return text.length <= 256 && TOKEN.test(text) ? undefined : `is not a name HTTP allows: ${quote(text)}`;
}

/** Returns what is wrong with the value of a header, or with what becomes a part of one (RFC 9110, section 5.5). */
export function headerTextFault(text: string): string | undefined {
  return /[\u0000-\u0008\u000a-\u001f\u007f]/.test(text)
    ? "must not contain a line break or another control character"
    : undefined;
}
