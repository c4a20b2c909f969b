// What a port speaks, from its name, its appProtocol or what its number is known for.

/** `auto`: each connection's first bytes say whether it is HTTP, of whichever version the client speaks, or not. */
export type PortProtocol = "http" | "http2" | "grpc" | "auto" | "https" | "tls" | "tcp";

const BY_WORD: Readonly<Record<string, PortProtocol>> = {
  http: "http",
  http1: "http",
  http2: "http2",
  h2c: "http2",
  grpc: "grpc",
  "grpc-web": "grpc",
  ws: "http",
  https: "https",
  tls: "tls",
  tcp: "tcp",
  mongo: "tcp",
  mysql: "tcp",
  redis: "tcp",
  postgres: "tcp",
};

/**
 * Ports of protocols that are not HTTP and whose server often speaks first: nobody can wait for what the client says.
 */
const WELL_KNOWN_TCP: ReadonlySet<number> = new Set([
  22, 25, 53, 1433, 1521, 3306, 5432, 5672, 6379, 9042, 9092, 11211, 27017,
]);

/**
 * Returns the protocol of a Service's port. `appProtocol` goes before the name's prefix (`http-web` → http); what
 * neither says is sniffed, except on ports well known for something else.
 * https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/
 */
export function protocolOfServicePort(
  port: number,
  name: string | undefined,
  appProtocol: string | undefined,
): PortProtocol {
  const byApp =
    appProtocol === undefined ? undefined : byWord(appProtocol.toLowerCase().replace(/^kubernetes\.io\//, ""));
  if (byApp !== undefined) return byApp;
  const lower = (name ?? "").toLowerCase();
  const byName = lower.startsWith("grpc-web") ? "grpc" : byWord(lower.split("-")[0] ?? "");
  if (byName !== undefined) return byName;
  return WELL_KNOWN_TCP.has(port) ? "tcp" : "auto";
}

/** Returns the protocol of a ServiceEntry's port, whose `protocol` field is a word such as `HTTP`. */
export function protocolOfEntryPort(port: number, name: string, protocol: string | undefined): PortProtocol {
  return protocolOfServicePort(port, name, protocol);
}

/** Returns whether requests on the port can be routed by what they say. */
export function isHttp(protocol: PortProtocol): boolean {
  return protocol === "http" || protocol === "http2" || protocol === "grpc" || protocol === "auto";
}

function byWord(word: string): PortProtocol | undefined {
  return Object.hasOwn(BY_WORD, word) ? BY_WORD[word] : undefined;
}
