// consumes: a port to open streams through, told by the parent process
// produces: gRPC and WebSocket streams that send messages to echo servers of this same process, and which of them broke
// never does: open a broken stream again, or outlive its parent
import { createServer as createPlainServer } from "node:http";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  constants,
  createServer as createHttp2Server,
} from "node:http2";
import { type AddressInfo, connect, type Server, type Socket } from "node:net";
import type { FromStreams, StreamsRequest, ToStreams } from "./streams-messages.ts";

const STREAMS_PER_CONNECTION = 50;
const MESSAGE_BYTES = 16;

const tell = (message: FromStreams): void => void process.send?.(message);

function echoServers(): { readonly grpc: Server; readonly webSocket: Server } {
  const grpc = createHttp2Server({ settings: { maxConcurrentStreams: 10_000 } });
  grpc.on("stream", (stream) => {
    stream.on("error", () => undefined);
    stream.respond({ ":status": 200, "content-type": "application/grpc" });
    stream.pipe(stream);
  });
  const webSocket = createPlainServer();
  webSocket.on("upgrade", (_request, socket) => {
    socket.on("error", () => undefined);
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n" +
        "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    );
    socket.pipe(socket);
  });
  return { grpc, webSocket };
}

interface Wire {
  write(bytes: Buffer): void;
  end(): void;
}

/** One open stream: what it sent last, and whether that came back. */
class OpenStream {
  wire: Wire | undefined;
  #waiting: Buffer | undefined;
  #got: Buffer[] = [];
  #number = 0;

  constructor(readonly book: Book) {}

  /** Sends the next message. The one before it must have come back by now. */
  beat(): void {
    if (this.wire === undefined) return;
    if (this.#waiting !== undefined) this.book.lost++;
    const message = Buffer.alloc(MESSAGE_BYTES);
    // Five bytes before each gRPC message: not compressed, its length. A WebSocket does not mind what its bytes are
    // here.
    message.writeUInt32BE(MESSAGE_BYTES - 5, 1);
    message.writeUInt32BE(++this.#number, 8);
    this.#waiting = message;
    this.book.messages++;
    this.wire.write(message);
  }

  received(bytes: Buffer): void {
    this.#got.push(bytes);
    const all = Buffer.concat(this.#got);
    if (this.#waiting === undefined || all.length < MESSAGE_BYTES) return;
    if (!all.equals(this.#waiting)) this.book.lost++;
    this.#waiting = undefined;
    this.#got = [];
  }

  ended(reason: string): void {
    if (this.wire === undefined) return;
    this.wire = undefined;
    if (!this.book.closing) this.book.broken[reason] = (this.book.broken[reason] ?? 0) + 1;
  }
}

class Book {
  messages = 0;
  lost = 0;
  closing = false;
  readonly broken: Record<string, number> = {};
  readonly streams: OpenStream[] = [];
  readonly sessions: ClientHttp2Session[] = [];
  opened = { grpc: 0, webSocket: 0 };
}

const book = new Book();
let timer: NodeJS.Timeout | undefined;

function openGrpc(session: ClientHttp2Session): Promise<void> {
  const stream: ClientHttp2Stream = session.request({
    ":method": "POST",
    ":path": "/grpc/bench.Echo/Echo",
    "content-type": "application/grpc",
    te: "trailers",
  });
  const open = new OpenStream(book);
  book.streams.push(open);
  stream.on("data", (bytes: Buffer) => open.received(bytes));
  stream.on("error", (error: NodeJS.ErrnoException) => open.ended(`gRPC ${error.code ?? error.message}`));
  stream.on("close", () =>
    open.ended(`gRPC closed (${stream.rstCode === constants.NGHTTP2_NO_ERROR ? "no error" : stream.rstCode})`),
  );
  return new Promise((resolve, reject) => {
    stream.once("response", (headers) => {
      if (headers[":status"] !== 200)
        return reject(new Error(`a gRPC stream was answered with ${String(headers[":status"])}`));
      open.wire = { write: (bytes) => void stream.write(bytes), end: () => stream.close() };
      book.opened.grpc++;
      resolve();
    });
    stream.once("error", reject);
  });
}

function openWebSocket(port: number): Promise<void> {
  const socket: Socket = connect({ port, host: "127.0.0.1", noDelay: true });
  const open = new OpenStream(book);
  book.streams.push(open);
  let head = "";
  return new Promise((resolve, reject) => {
    socket.on("connect", () =>
      socket.write(
        "GET /ws HTTP/1.1\r\nhost: reviews\r\nupgrade: websocket\r\nconnection: Upgrade\r\n" +
          "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n",
      ),
    );
    socket.on("data", (bytes) => {
      if (open.wire !== undefined) return open.received(bytes);
      head += bytes.toString("latin1");
      if (!head.includes("\r\n\r\n")) return;
      if (!head.startsWith("HTTP/1.1 101"))
        return reject(new Error(`a WebSocket was answered with ${head.slice(0, 20)}`));
      open.wire = { write: (sent) => void socket.write(sent), end: () => socket.destroy() };
      book.opened.webSocket++;
      resolve();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      open.ended(`WebSocket ${error.code ?? error.message}`);
      reject(error);
    });
    socket.on("close", () => open.ended("WebSocket closed"));
  });
}

async function openAll({ port, count, everyMs }: StreamsRequest): Promise<void> {
  const half = Math.floor(count / 2);
  for (let opened = 0; opened < half; opened += STREAMS_PER_CONNECTION) {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    session.on("error", () => undefined);
    book.sessions.push(session);
    await Promise.all(Array.from({ length: Math.min(STREAMS_PER_CONNECTION, half - opened) }, () => openGrpc(session)));
  }
  for (let opened = 0; opened < count - half; opened += STREAMS_PER_CONNECTION) {
    await Promise.all(
      Array.from({ length: Math.min(STREAMS_PER_CONNECTION, count - half - opened) }, () => openWebSocket(port)),
    );
  }
  // Evenly over the period, so that at every moment some stream is in the middle of a message.
  const SLICES = 20;
  let slice = 0;
  timer = setInterval(() => {
    for (let at = slice; at < book.streams.length; at += SLICES) book.streams[at]?.beat();
    slice = (slice + 1) % SLICES;
  }, everyMs / SLICES);
}

function closeAll(): void {
  clearInterval(timer);
  // What is on its way may still come back.
  setTimeout(() => {
    book.closing = true;
    tell({
      kind: "result",
      result: { opened: book.opened, messages: book.messages, lost: book.lost, broken: book.broken },
    });
    for (const stream of book.streams) stream.wire?.end();
    for (const session of book.sessions) session.destroy();
  }, 500);
}

process.on("message", (message: ToStreams) => {
  if (message.kind === "close") return closeAll();
  openAll(message.request).then(
    () => tell({ kind: "open" }),
    (error: Error) => {
      process.stderr.write(`${error.message}\n`);
      process.exit(1);
    },
  );
});
process.on("disconnect", () => process.exit(0));

const { grpc, webSocket } = echoServers();
const portOf = (server: Server): number => (server.address() as AddressInfo).port;
grpc.listen(0, "127.0.0.1", () =>
  webSocket.listen(0, "127.0.0.1", () =>
    tell({ kind: "serving", grpcPort: portOf(grpc), webSocketPort: portOf(webSocket) }),
  ),
);
