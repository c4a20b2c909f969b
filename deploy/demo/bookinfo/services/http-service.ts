import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";

/** What a handler gets: the request, its parsed URL and a way to answer. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
}

/**
 * Starts an HTTP server at PORT, on 127.0.0.1 unless LISTEN_ADDRESS says otherwise; on SIGTERM it stops accepting, lets requests end, and
 * leaves.
 */
export function serve(name: string, handle: (exchange: Exchange) => void | Promise<void>): void {
  const port = Number(process.env["PORT"] ?? "9080");
  const address = process.env["LISTEN_ADDRESS"] ?? "127.0.0.1";
  const server = createServer(createListener(name, handle));
  server.keepAliveTimeout = 75_000;
  server.listen(port, address, () => console.log(`${name} listens on ${address}:${port}`));
  server.on("error", (error) => {
    console.error(`${name} cannot listen on ${address}:${port}: ${error.message}`);
    process.exit(1);
  });
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => {
      server.close(() => process.exit(0));
      // A kept-alive connection that is busy now becomes idle after the server stopped listening: look again until all
      // are gone.
      setInterval(() => server.closeIdleConnections(), 50);
    });
  }
}

function createListener(name: string, handle: (exchange: Exchange) => void | Promise<void>): RequestListener {
  return (request, response) => {
    const url = new URL(request.url ?? "/", "http://service.local");
    Promise.resolve(handle({ request, response, url })).catch((error: unknown) => {
      console.error(
        `${name}: ${request.method} ${url.pathname} failed: ${error instanceof Error ? error.message : String(error)}`,
      );
      if (!response.headersSent) sendJson(response, 500, { error: "internal error" });
      else response.destroy();
    });
  };
}

/** Answers with JSON. */
export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  send(response, status, "application/json; charset=utf-8", `${JSON.stringify(body)}\n`);
}

/** Answers with a text of the given content type. */
export function send(response: ServerResponse, status: number, contentType: string, text: string): void {
  const bytes = Buffer.from(text);
  response.writeHead(status, { "content-type": contentType, "content-length": bytes.length });
  response.end(bytes);
}

/** Answers 404 with the list of paths there are. */
export function sendNotFound(response: ServerResponse, paths: readonly string[]): void {
  sendJson(response, 404, { error: "no such path", paths });
}
