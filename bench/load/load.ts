// consumes: loads to put on a port
// produces: what became of them, from a process of its own
// never does: measure the process under load
import { fileURLToPath } from "node:url";
import { endChild, startChild } from "../../test/support/children.ts";
import type { FromGenerator, LoadRequest, LoadResult, ToGenerator } from "./messages.ts";

/** A load that is under way. */
export interface RunningLoad {
  /** Resolves when it is over, by its duration or by `stop`. */
  readonly result: Promise<LoadResult>;
  stop(): void;
}

/** A generator, for one load at a time. */
export interface Generator {
  start(load: LoadRequest): RunningLoad;
  close(): Promise<void>;
}

/** Starts the generator's process, in the network namespace of the process `within`, if one is given. */
export function startGenerator(within?: number): Generator {
  const command = [process.execPath, fileURLToPath(new URL("./generator.mjs", import.meta.url))];
  const [file = "", ...args] = within === undefined ? command : ["nsenter", "-t", `${within}`, "-n", "--", ...command];
  const child = startChild(file, args, {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const tell = (message: ToGenerator): void => void child.send(message);
  return {
    start(load) {
      const result = new Promise<LoadResult>((resolve, reject) => {
        const ended = (): void => reject(new Error("the load generator ended"));
        const onMessage = (message: FromGenerator): void => {
          if (message.kind !== "result") return;
          child.off("message", onMessage);
          child.off("exit", ended);
          resolve(message.result);
        };
        child.on("message", onMessage);
        child.once("exit", ended);
      });
      tell({ kind: "start", load });
      return { result, stop: () => tell({ kind: "stop" }) };
    },
    close: () => endChild(child),
  };
}
