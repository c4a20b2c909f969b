// A forward proxy whose network is a table: it alone knows where the names of its clients' URLs lead.
import http from "node:http";
import { type AddressInfo, connect } from "node:net";
import type { Duplex } from "node:stream";

export interface ForwardProxy {
  readonly port: number;
  /** What was asked for: `GET http://host/path`, `CONNECT host:443`. */
  readonly asked: readonly string[];
  close(): void;
}

/**
 * Starts one on 127.0.0.1. `ports`: where the hosts of its network listen here. `authorization`: what it wants to see.
 */
export async function startForwardProxy(
  ports: Readonly<Record<string, number>>,
  authorization?: string,
): Promise<ForwardProxy> {
  const asked: string[] = [];
  const isWelcome = ({ headers }: http.IncomingMessage) =>
    authorization === undefined || headers["proxy-authorization"] === authorization;
  const server = http.createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    if (!isWelcome(request)) return void response.writeHead(407).end();
    forward(request, response, ports);
  });
  server.on("connect", (request, client) => {
    asked.push(`CONNECT ${request.url}`);
    const port = ports[new URL(`http://${request.url}`).hostname];
    if (!isWelcome(request) || port === undefined)
      return void client.end(
        `HTTP/1.1 ${isWelcome(request) ? "502 Bad Gateway" : "407 Proxy Authentication Required"}\r\n\r\n`,
      );
    tunnel(client, port);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function forward(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  ports: Readonly<Record<string, number>>,
): void {
  const target = new URL(request.url ?? "");
  const onward = http.request(
    {
      port: ports[target.hostname],
      path: target.pathname + target.search,
      method: request.method ?? "GET",
      headers: request.headers,
    },
    (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    },
  );
  onward.on("error", () => response.writeHead(502).end());
  request.pipe(onward);
}

function tunnel(client: Duplex, port: number): void {
  const onward = connect(port, "127.0.0.1", () => {
    client.write("HTTP/1.1 200 Connection established\r\n\r\n");
    client.pipe(onward);
    onward.pipe(client);
  });
  onward.on("error", () => client.destroy());
  client.on("error", () => onward.destroy());
}
