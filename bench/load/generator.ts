// consumes: a load, told by the parent process
// produces: HTTP/1.1 requests over plain sockets, one at a time on each connection, and what became of them
// never does: pipeline, or outlive its parent
import { connect, type Socket } from "node:net";
import { Worker } from "node:worker_threads";
import { Histogram } from "./histogram.ts";
import {
  type FromGenerator,
  type LoadRequest,
  type LoadResult,
  machineMs,
  type SeenValue,
  type ToGenerator,
} from "./messages.ts";

const END_OF_HEADERS = Buffer.from("\r\n\r\n");

/** A thread that says every so often that time has passed: timers of Node's own know whole milliseconds only. */
const METRONOME = `
const { parentPort, workerData } = require("node:worker_threads");
const never = new Int32Array(new SharedArrayBuffer(4));
for (;;) {
  Atomics.wait(never, 0, 0, workerData);
  parentPort.postMessage(0);
}`;

class Load {
  readonly #request: Buffer;
  readonly #watched: string | undefined;
  readonly #histogram = new Histogram();
  readonly #failures: Record<string, number> = {};
  readonly #seen = new Map<string, { firstMs: number; lastMs: number; answers: number }>();
  readonly #idle: Connection[] = [];
  readonly #startedMs = machineMs();
  #issued = 0;
  #answers = 0;
  #isOver = false;
  #open = 0;

  constructor(
    readonly load: LoadRequest,
    readonly finished: (result: LoadResult) => void,
  ) {
    const headers = Object.entries(load.headers)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("");
    this.#request = Buffer.from(`GET ${load.path} HTTP/1.1\r\nhost: reviews\r\n${headers}\r\n`);
    this.#watched = load.watch && `\r\n${load.watch}: `;
    for (let i = 0; i < load.connections; i++) this.#connect();
    if (load.durationMs !== undefined) setTimeout(() => this.stop(), load.durationMs);
    if (load.ratePerSecond !== undefined) this.#pace();
  }

  stop(): void {
    this.#isOver = true;
    for (const connection of this.#idle.splice(0)) connection.end();
  }

  #connect(): void {
    this.#open++;
    new Connection(this.load, this);
  }

  /** A connection has nothing under way. */
  ready(connection: Connection): void {
    if (this.#isOver) connection.end();
    else if (this.load.ratePerSecond === undefined) connection.send(this.#request, machineMs());
    else this.#idle.push(connection);
  }

  answered(text: string, sinceMs: number): void {
    const nowMs = machineMs();
    this.#answers++;
    this.#histogram.add(nowMs - sinceMs);
    const status = text.slice(9, 12);
    if (status !== "200") this.fail(status);
    if (this.#watched !== undefined) this.#watch(text, this.#watched, nowMs);
  }

  #watch(text: string, name: string, nowMs: number): void {
    const at = text.indexOf(name);
    const value = at < 0 ? "" : text.slice(at + name.length, text.indexOf("\r\n", at + name.length));
    const seen = this.#seen.get(value);
    if (seen === undefined) this.#seen.set(value, { firstMs: nowMs, lastMs: nowMs, answers: 1 });
    else {
      seen.lastMs = nowMs;
      seen.answers++;
    }
  }

  fail(reason: string): void {
    this.#failures[reason] = (this.#failures[reason] ?? 0) + 1;
  }

  /** A connection is gone; `wasBusy`: with a request under way, which thus failed. */
  closed(wasBusy: boolean, reason: string): void {
    this.#open--;
    if (wasBusy) this.fail(reason);
    if (!this.#isOver) return void setTimeout(() => this.#connect(), 5);
    if (this.#open === 0) this.finished(this.#result());
  }

  /** Sends what is due on whatever is idle. What finds nothing idle waits, and its wait counts. */
  #pace(): void {
    const intervalMs = 1000 / (this.load.ratePerSecond ?? 1);
    const metronome = this.load.sleeps ? new Worker(METRONOME, { eval: true, workerData: intervalMs }) : undefined;
    const turn = (): void => {
      if (this.#isOver) return void metronome?.terminate();
      const nowMs = machineMs();
      for (;;) {
        const dueMs = this.#startedMs + this.#issued * intervalMs;
        const connection = dueMs <= nowMs ? this.#idle.shift() : undefined;
        if (connection === undefined) break;
        this.#issued++;
        connection.send(this.#request, dueMs);
      }
      if (!metronome) setImmediate(turn);
    };
    if (metronome) metronome.on("message", turn);
    else turn();
  }

  #result(): LoadResult {
    const seen: Record<string, SeenValue> = Object.fromEntries(this.#seen);
    const seconds = (machineMs() - this.#startedMs) / 1000;
    const { maxMs } = this.#histogram;
    return {
      requests: this.#answers,
      seconds,
      failures: this.#failures,
      p50Ms: this.#histogram.quantileMs(0.5),
      p99Ms: this.#histogram.quantileMs(0.99),
      p999Ms: this.#histogram.quantileMs(0.999),
      maxMs,
      seen,
    };
  }
}

class Connection {
  readonly #socket: Socket;
  #sentMs = 0;
  #isBusy = false;
  #error = "closed";
  #rest: Buffer | undefined;

  constructor(
    { host = "127.0.0.1", port }: LoadRequest,
    readonly load: Load,
  ) {
    this.#socket = connect({ port, host, noDelay: true });
    this.#socket.on("connect", () => load.ready(this));
    this.#socket.on("data", (bytes) => this.#read(bytes));
    this.#socket.on("error", (error: NodeJS.ErrnoException) => (this.#error = error.code ?? error.message));
    this.#socket.on("close", () => load.closed(this.#isBusy, this.#error));
  }

  send(request: Buffer, sinceMs: number): void {
    this.#isBusy = true;
    this.#sentMs = sinceMs;
    this.#socket.write(request);
  }

  end(): void {
    this.#isBusy = false;
    this.#socket.destroy();
  }

  #read(bytes: Buffer): void {
    const all = this.#rest === undefined ? bytes : Buffer.concat([this.#rest, bytes]);
    this.#rest = undefined;
    const headEnd = all.indexOf(END_OF_HEADERS);
    const text = headEnd < 0 ? "" : all.toString("latin1", 0, headEnd + 2);
    const at = text.indexOf("\r\ncontent-length: ");
    if (headEnd < 0 || all.length < headEnd + 4 + (at < 0 ? 0 : parseInt(text.slice(at + 18), 10))) {
      this.#rest = all;
      return;
    }
    this.#isBusy = false;
    this.load.answered(text, this.#sentMs);
    if (text.includes("\r\nconnection: close")) return void this.#socket.destroy();
    this.load.ready(this);
  }
}

let current: Load | undefined;

function tell(message: FromGenerator): void {
  process.send?.(message);
}

process.on("message", (message: ToGenerator) => {
  if (message.kind === "stop") return current?.stop();
  current = new Load(message.load, (result) => tell({ kind: "result", result }));
  tell({ kind: "started" });
});
process.on("disconnect", () => process.exit(0));
