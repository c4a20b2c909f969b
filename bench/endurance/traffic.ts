// A few requests a second through the client's sidecar, for as long as something else happens.
import http from "node:http";
import { setTimeout as delay } from "node:timers/promises";

export interface Seen {
  readonly status: number;
  readonly body: string;
  readonly headers: http.IncomingHttpHeaders;
}

export interface Traffic {
  /** How many were sent, and what became of those that were not answered with 200. */
  totals(): { readonly sent: number; readonly failures: readonly string[] };
  stop(): Promise<void>;
}

const PATIENCE_MS = 10_000;

/** Sends requests to these hosts in turn, every tenth on a connection of its own. */
export function startTraffic(outbound: string, hosts: () => readonly string[], perSecond: number): Traffic {
  const agent = new http.Agent({ keepAlive: true });
  const failures: string[] = [];
  const running = new Set<Promise<void>>();
  let sent = 0;
  let isOver = false;
  const one = async (number: number): Promise<void> => {
    const all = hosts();
    const host = all[number % all.length] ?? "web";
    const problem = await ask(outbound, host, number % 10 === 0 ? undefined : agent).then(
      ({ status, body }) => (status === 200 ? undefined : `${status} ${body.slice(0, 120)}`),
      String,
    );
    if (problem !== undefined) failures.push(`${new Date().toISOString()} ${host}: ${problem}`);
  };
  const loop = (async () => {
    while (!isOver) {
      const request = one(sent++).finally(() => running.delete(request));
      running.add(request);
      await delay(1000 / perSecond);
    }
  })();
  return {
    totals: () => ({ sent, failures }),
    async stop() {
      isOver = true;
      await loop;
      await Promise.all(running);
      agent.destroy();
    },
  };
}

/** One GET of http://HOST/ as HTTP_PROXY sends it; rejects when no answer comes in 10 s. */
export function ask(outbound: string, host: string, agent?: http.Agent): Promise<Seen> {
  const [address, port] = outbound.split(":");
  return new Promise((resolve, reject) => {
    const request = http.get(
      {
        host: address,
        port,
        path: `http://${host}/`,
        headers: { host },
        timeout: PATIENCE_MS,
        ...(agent === undefined ? { agent: false } : { agent }),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString("utf8"),
          }),
        );
        response.on("error", reject);
      },
    );
    request.on("timeout", () => request.destroy(new Error(`no answer in ${PATIENCE_MS / 1000} s`)));
    request.on("error", reject);
  });
}
