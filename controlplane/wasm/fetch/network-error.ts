// What went wrong on a network, in words that say what to do.

/** Codes of certificates that no authority known here stands for. */
const UNTRUSTED = [
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
];

/** Returns the words for an error of a request; they go on after a colon, and are one line. */
export function describeNetworkError(error: Error): string {
  const { code = "" } = error as NodeJS.ErrnoException;
  const message = messageOf(error);
  if (code === "ENOTFOUND") return "there is no such host (ENOTFOUND)";
  if (code === "EAI_AGAIN") return "the host's name cannot be looked up now (EAI_AGAIN): is there a network?";
  if (code === "ECONNREFUSED") return `nothing listens there (${message})`;
  if (code === "EPROTO" || code === "ERR_SSL_WRONG_VERSION_NUMBER")
    return "it does not speak TLS (a registry that is not meant to is named with --plain-registry)";
  if (UNTRUSTED.includes(code))
    return `${message}: NODE_EXTRA_CA_CERTS may name a file with the authority that signed it`;
  return message;
}

/** Where several addresses were tried, that of the first. */
function messageOf(error: Error): string {
  const [first] = error instanceof AggregateError ? (error.errors as readonly unknown[]) : [];
  const message = first instanceof Error ? first.message : error.message;
  return message.split("\n")[0] || error.name;
}
