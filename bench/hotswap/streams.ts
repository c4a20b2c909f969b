// consumes: how many streams to hold open
// produces: a process that holds them through Envoy, to servers of its own
// never does: hide a stream that broke
import { fileURLToPath } from "node:url";
import { endChild, startChild } from "../../test/support/children.ts";
import type { FromStreams, StreamsRequest, StreamsResult, ToStreams } from "./streams-messages.ts";

/** The process of open streams. */
export interface StreamsProcess {
  readonly grpcPort: number;
  readonly webSocketPort: number;
  /** Resolves when all are open. */
  open(request: StreamsRequest): Promise<void>;
  /** Ends them and says how they fared. */
  finish(): Promise<StreamsResult>;
  close(): Promise<void>;
}

/** Starts the process and its two echo servers. */
export async function startStreams(): Promise<StreamsProcess> {
  const child = startChild(process.execPath, [fileURLToPath(new URL("./streams.mjs", import.meta.url))], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const tell = (message: ToStreams): void => void child.send(message);
  const next = <K extends FromStreams["kind"]>(kind: K): Promise<Extract<FromStreams, { kind: K }>> =>
    new Promise((resolve, reject) => {
      const ended = (): void => reject(new Error("the process of open streams ended"));
      const onMessage = (message: FromStreams): void => {
        if (message.kind !== kind) return;
        child.off("message", onMessage);
        child.off("exit", ended);
        resolve(message as Extract<FromStreams, { kind: K }>);
      };
      child.on("message", onMessage);
      child.once("exit", ended);
    });
  const { grpcPort, webSocketPort } = await next("serving");
  return {
    grpcPort,
    webSocketPort,
    async open(request) {
      const open = next("open");
      tell({ kind: "open", request });
      await open;
    },
    async finish() {
      const result = next("result");
      tell({ kind: "close" });
      return (await result).result;
    },
    close: () => endChild(child),
  };
}
