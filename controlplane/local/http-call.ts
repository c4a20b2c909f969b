import { request } from "node:http";
import { connect } from "node:net";
import type { Duplex } from "node:stream";

/** An HTTP answer; status 0 when there was none. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

export interface HttpCall {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly timeoutMs: number;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The connection to use instead of a new one to host and port. */
  readonly over?: Duplex;
}

const MAX_BODY_BYTES = 256 * 1_024 * 1_024;

/** Makes one request on a connection of its own. Never rejects. */
export function httpCall(given: HttpCall): Promise<HttpAnswer> {
  const { host, port, path, timeoutMs, method = "GET", headers = {}, over } = given;
  return new Promise((resolve) => {
    const connecting = over ? { createConnection: () => over } : { agent: false };
    const call = request({ host, port, path, method, headers, timeout: timeoutMs, ...connecting });
    const deadline = setTimeout(() => call.destroy(), timeoutMs);
    const finish = (answer: HttpAnswer) => {
      clearTimeout(deadline);
      resolve(answer);
    };
    call.on("error", () => finish({ status: 0, body: "" }));
    call.on("close", () => finish({ status: 0, body: "" }));
    call.on("response", (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_BODY_BYTES) call.destroy();
        else chunks.push(chunk);
      });
      response.on("error", () => finish({ status: 0, body: "" }));
      response.on("end", () =>
        finish({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") }),
      );
    });
    call.end();
  });
}

/** Returns true when a TCP connection is accepted within the time. */
export function acceptsTcp(host: string, port: number, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: timeoutMs });
    const finish = (accepted: boolean) => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once("connect", () => finish(true));
    socket.once("timeout", () => finish(false));
    socket.once("error", () => finish(false));
  });
}
