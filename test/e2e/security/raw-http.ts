// HTTP/1.1 byte by byte, as no library would send it.
import net from "node:net";

/**
 * Sends the bytes, and returns what comes back until the connection ends or nothing comes for a moment after an answer.
 */
export function exchange(address: string, bytes: string): Promise<string> {
  const [host, port] = address.split(":");
  return new Promise((resolve) => {
    let answer = "";
    const socket = net.connect(Number(port), host, () => socket.write(Buffer.from(bytes, "latin1")));
    socket.setTimeout(5_000, () => socket.destroy());
    socket.on("data", (chunk) => {
      answer += chunk.toString("latin1");
      const [head = "", body] = answer.split("\r\n\r\n", 2);
      const length = /content-length: (\d+)/i.exec(head)?.[1];
      if (
        body !== undefined &&
        (/^HTTP\/1.1 [45]/.test(head) ||
          body.endsWith("\r\n0") ||
          (length !== undefined && body.length >= Number(length)))
      )
        socket.destroy();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(answer));
  });
}

/** The status of the answer; 0 when the connection was closed without one. */
export const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0);

/** Sends a request without a body; returns the status of the answer. */
export async function status(
  address: string,
  host: string,
  target: string,
  headers: readonly string[] = [],
  method = "GET",
): Promise<number> {
  return statusOf(
    await exchange(
      address,
      `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n${headers.map((line) => `${line}\r\n`).join("")}\r\n`,
    ),
  );
}
