import { request } from "node:http";
import { connect } from "node:net";

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
}

const MAX_BODY_BYTES = 256 * 1_024 * 1_024;

/** Makes one request on a connection of its own. Never rejects. */
export function httpCall({ host, port, path, timeoutMs, method = "GET", headers = {} }: HttpCall): Promise<HttpAnswer> {
  return new Promise((resolve) => {
    const call = request({ host, port, path, method, headers, agent: false, timeout: timeoutMs });
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
