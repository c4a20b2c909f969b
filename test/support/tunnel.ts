// How clients other than a plain HTTP/1.1 one speak with a sidecar's proxy: tunnels, websockets, cleartext HTTP/2.
import http from "node:http";
import http2 from "node:http2";
import type { Socket } from "node:net";
import type { Answer, RequestOptions } from "./mesh.ts";

/** Opens a tunnel as curl's `--proxytunnel` does; rejects with the status when it is refused. `proxy` is host:port. */
export function tunnel(proxy: string, authority: string): Promise<Socket> {
  const { hostname, port } = new URL(`http://${proxy}`);
  return new Promise((resolve, reject) => {
    const sent = http.request({
      host: hostname,
      port,
      method: "CONNECT",
      path: authority,
      headers: { host: authority },
      agent: false,
      timeout: 15_000,
    });
    sent.on("connect", (response, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      if (response.statusCode === 200) return resolve(socket);
      socket.destroy();
      reject(new Error(`CONNECT ${authority}: ${response.statusCode}`));
    });
    sent.on("timeout", () => sent.destroy(new Error(`CONNECT ${authority}: no answer`)));
    sent.on("error", reject);
    sent.end();
  });
}

/** One request inside a tunnel of its own. */
export async function tunnelled(proxy: string, url: string, headers: http.OutgoingHttpHeaders = {}): Promise<Answer> {
  const { host, hostname, port, pathname } = new URL(url);
  const socket = await tunnel(proxy, `${hostname}:${port || 80}`);
  return new Promise((resolve, reject) => {
    const sent = http.request(
      { createConnection: () => socket, path: pathname, headers: { host, connection: "close", ...headers } },
      (response) => resolve(collect(response)),
    );
    sent.on("error", reject);
    sent.end();
  });
}

/**
 * One cleartext HTTP/2 request by prior knowledge, the service in `:authority`; on a connection of its own to `proxy`,
 * or in the tunnel that is given.
 */
export function h2c(proxy: string | Socket, url: string, options: RequestOptions = {}): Promise<Answer> {
  const { host, pathname, search } = new URL(url);
  const session =
    typeof proxy === "string"
      ? http2.connect(`http://${proxy}`)
      : http2.connect(`http://${host}`, { createConnection: () => proxy });
  const answer = new Promise<Answer>((resolve, reject) => {
    session.on("error", reject);
    const stream = session.request({
      ":method": options.method ?? "GET",
      ":path": pathname + search,
      ":authority": host,
      ...options.headers,
    });
    stream.on("error", reject);
    stream.on("response", (headers) => {
      text(stream).then(
        (body) => resolve({ status: Number(headers[":status"]), headers: headers as http.IncomingHttpHeaders, body }),
        reject,
      );
    });
    stream.end(options.body);
  });
  return answer.finally(() => session.destroy());
}

/** Asks for a websocket by an absolute-form request; returns the answer's headers and the open socket. */
export function websocket(
  proxy: string,
  url: string,
): Promise<{ readonly headers: http.IncomingHttpHeaders; readonly socket: Socket }> {
  const { hostname, port } = new URL(`http://${proxy}`);
  return new Promise((resolve, reject) => {
    const headers = {
      host: new URL(url).host,
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      "sec-websocket-version": "13",
    };
    const sent = http.request({ host: hostname, port, path: url, headers, agent: false, timeout: 15_000 });
    sent.on("upgrade", (response, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      resolve({ headers: response.headers, socket });
    });
    sent.on("response", (response) => reject(new Error(`${url}: no upgrade but ${response.statusCode}`)));
    sent.on("error", reject);
    sent.end();
  });
}

/** What a stream says until it holds `enough`. */
export function until(stream: NodeJS.ReadableStream, enough: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let all = "";
    const take = (part: Buffer): void => {
      all += part.toString("utf8");
      if (!all.includes(enough)) return;
      stream.off("data", take);
      resolve(all);
    };
    stream.on("data", take);
    stream.on("error", reject);
    stream.on("end", () => reject(new Error(`ended after ${JSON.stringify(all)}`)));
  });
}

/** All that a stream says. */
export function text(stream: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let all = "";
    stream.on("data", (part: Buffer) => (all += part.toString("utf8")));
    stream.on("end", () => resolve(all));
    stream.on("error", reject);
  });
}

async function collect(response: http.IncomingMessage): Promise<Answer> {
  return { status: response.statusCode ?? 0, headers: response.headers, body: await text(response) };
}
