// The client of scenarios on Envoy: HTTP/1.1 written byte for byte, over TLS with any identity, from any address (PROXY
// protocol).
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { type Exchange, headerPairs } from "proxy-wasm-host";
import type { TestIdentities } from "../../support/test-identities.ts";

/**
 * An answer; status 0: the connection was closed without one. `from`: the client's own address, as in Envoy's access
 * log.
 */
export interface RawAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
  readonly from: string;
}

const bytes = (value: string | Uint8Array): Buffer =>
  typeof value === "string" ? Buffer.from(value, "latin1") : Buffer.from(value);
const GAP_MS = 30;

function head(exchange: Exchange, body: readonly Buffer[]): Buffer {
  const given = headerPairs(exchange.headers ?? {});
  const authority = given.find(([name]) => name === ":authority")?.[1] ?? Buffer.from("example.com");
  const path = given.find(([name]) => name === ":path")?.[1] ?? bytes(exchange.path ?? "/");
  const method = given.find(([name]) => name === ":method")?.[1] ?? bytes(exchange.method ?? "GET");
  const framing: [string, Buffer][] =
    body.length === 0
      ? []
      : body.length === 1
        ? [["content-length", bytes(String(body[0]?.length))]]
        : [["transfer-encoding", bytes("chunked")]];
  const lines: (readonly [string, Uint8Array])[] = [
    ["host", authority],
    ...given.filter(([name]) => !name.startsWith(":")),
    ...framing,
  ];
  return Buffer.concat([
    method,
    bytes(" "),
    path,
    bytes(" HTTP/1.1\r\n"),
    ...lines.flatMap(([name, value]) => [bytes(`${name}: `), Buffer.from(value), bytes("\r\n")]),
    bytes("\r\n"),
  ]);
}

function bodyOf(exchange: Exchange): Buffer[] {
  const { body } = exchange;
  if (body === undefined) return [];
  return Array.isArray(body)
    ? body.map((piece: string | Uint8Array) => bytes(piece))
    : [bytes(body as string | Uint8Array)];
}

/** Reads one HTTP/1.1 response from what has arrived; undefined while it is not whole. */
function parse(received: Buffer, isHead: boolean, ended: boolean): Omit<RawAnswer, "from"> | undefined {
  const end = received.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [statusLine = "", ...lines] = received.subarray(0, end).toString("latin1").split("\r\n");
  const headers = lines.map(
    (line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()] as const,
  );
  const status = Number(statusLine.split(" ")[1]);
  const find = (name: string): string | undefined => headers.find(([key]) => key === name)?.[1];
  const rest = received.subarray(end + 4);
  const whole = (body: Buffer): Omit<RawAnswer, "from"> => ({ status, headers, body: body.toString("latin1") });
  if (isHead || status === 204 || status === 304) return whole(Buffer.alloc(0));
  if (find("transfer-encoding") === "chunked") {
    const body = dechunk(rest);
    return body && whole(body);
  }
  const length = find("content-length");
  if (length !== undefined) return rest.length >= Number(length) ? whole(rest.subarray(0, Number(length))) : undefined;
  return ended ? whole(rest) : undefined;
}

function dechunk(bytesLeft: Buffer): Buffer | undefined {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = bytesLeft.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytesLeft.subarray(at, lineEnd).toString("latin1"), 16);
    if (size === 0)
      return bytesLeft.indexOf("\r\n\r\n", lineEnd - 2) < 0 &&
        !bytesLeft.subarray(lineEnd + 2).equals(Buffer.from("\r\n"))
        ? undefined
        : Buffer.concat(parts);
    if (bytesLeft.length < lineEnd + 2 + size + 2) return undefined;
    parts.push(bytesLeft.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}

/** The PROXY protocol's line, by which Envoy believes the connection to come from where the scenario says. */
function proxyLine({ peer = {} }: Exchange): string {
  const source = peer.address ?? "127.0.0.1";
  const destination = peer.destination ?? { address: source.includes(":") ? "::1" : "127.0.0.1", port: 80 };
  return (
    `PROXY TCP${source.includes(":") ? 6 : 4} ${source} ${destination.address} ${peer.port ?? 50_000} ` +
    `${destination.port}\r\n`
  );
}

function secure(socket: Socket, exchange: Exchange, identities: TestIdentities): Socket {
  const { identity, sni } = exchange.peer ?? {};
  if (identity === undefined && sni === undefined) return socket;
  const own =
    identity === undefined ? {} : { cert: identities.ofUri(identity).certificate, key: identities.ofUri(identity).key };
  return connectTls({
    socket,
    ...own,
    ca: identities.rootPem,
    checkServerIdentity: () => undefined,
    ...(sni !== undefined && { servername: sni }),
  });
}

/** Sends the exchange's request on a connection of its own and resolves to the answer. Rejects after `timeoutMs`. */
export function sendExchange(
  port: number,
  exchange: Exchange,
  identities: TestIdentities,
  timeoutMs: number,
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    let from = "";
    let received = Buffer.alloc(0);
    let isOver = false;
    const finish = (answer: Omit<RawAnswer, "from"> | Error): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      socket.destroy();
      if (answer instanceof Error) reject(answer);
      else resolve({ ...answer, from });
    };
    const timer = setTimeout(
      () => finish(new Error(`no answer within ${timeoutMs} ms; received so far: ${received.toString("latin1")}`)),
      timeoutMs,
    );
    socket.on("connect", () => {
      from = `127.0.0.1:${socket.localPort}`;
      socket.write(proxyLine(exchange));
      const channel = secure(socket, exchange, identities);
      const look = (ended: boolean): void => {
        const answer = parse(received, exchange.method === "HEAD", ended);
        if (answer) finish(answer);
        else if (ended) finish({ status: 0, headers: [], body: "" });
      };
      channel.on("data", (part: Buffer) => {
        received = Buffer.concat([received, part]);
        look(false);
      });
      channel.on("error", () => look(true)).on("close", () => look(true));
      void write(channel, exchange);
    });
    socket.on("error", (error) =>
      received.length > 0
        ? undefined
        : finish(Object.assign(error, { message: `the connection broke: ${error.message}` })),
    );
  });
}

async function write(channel: Socket, exchange: Exchange): Promise<void> {
  const body = bodyOf(exchange);
  channel.write(head(exchange, body));
  if (body.length === 1) channel.write(body[0] as Buffer);
  if (body.length < 2) return;
  for (const piece of body) {
    channel.write(Buffer.concat([bytes(`${piece.length.toString(16)}\r\n`), piece, bytes("\r\n")]));
    await new Promise((resolve) => setTimeout(resolve, GAP_MS)); // so that Envoy sees pieces, not one body
  }
  channel.write("0\r\n\r\n");
}
