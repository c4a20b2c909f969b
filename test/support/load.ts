// A steady load for as long as something else happens: what failed is what users would have seen.
import http from "node:http";
import { type Answer, request } from "./mesh.ts";

export interface Load {
  /** Ends the load; resolves to how many requests were sent and those that were not answered as hoped. */
  stop(): Promise<{ readonly sent: number; readonly failed: readonly string[] }>;
}

export interface LoadOptions {
  readonly url: string;
  /** The sidecar's outbound listener, when the request goes through one. */
  readonly proxy?: string;
  readonly headers?: http.OutgoingHttpHeaders;
  /** Where connections are made; one with as many sockets as clients unless given. */
  readonly agent?: http.Agent;
  /** Clients, each with a connection of its own that is kept open. */
  readonly clients?: number;
  readonly isGood?: (answer: Answer) => boolean;
}

/** Starts a closed loop of requests. */
export function startLoad({
  url,
  proxy,
  headers = {},
  clients = 4,
  agent = new http.Agent({ keepAlive: true, maxSockets: clients }),
  isGood = ({ status }) => status === 200,
}: LoadOptions): Load {
  const failed: string[] = [];
  let sent = 0;
  let isOver = false;
  const client = async (): Promise<void> => {
    while (!isOver) {
      sent++;
      const options = proxy === undefined ? { agent, headers } : { agent, headers, proxy: `http://${proxy}` };
      const answer = await request(url, options).catch((error: unknown) => String(error));
      if (typeof answer === "string") failed.push(answer);
      else if (!isGood(answer)) failed.push(`${answer.status} ${answer.body.slice(0, 200)}`);
    }
  };
  const running = Array.from({ length: clients }, client);
  return {
    async stop() {
      isOver = true;
      await Promise.all(running);
      agent.destroy();
      return { sent, failed };
    },
  };
}
