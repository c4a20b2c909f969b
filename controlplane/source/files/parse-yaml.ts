// The thread of yaml-thread.ts: parses one text after another, each with the places of its fields.
import { parentPort } from "node:worker_threads";
import { parsePiece } from "../../model/yaml.ts";

parentPort?.on("message", (text: string) => {
  const parsed = parsePiece(text, { withPlaces: true });
  const places = parsed.kind === "document" ? parsed.places : undefined;
  parentPort?.postMessage(parsed, places === undefined ? [] : [places.nodes.buffer as ArrayBuffer]);
});
