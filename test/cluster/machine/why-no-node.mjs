// Consumes: the folder of a node that does not start.
// Produces: the last lines of the logs that say why.
// Never does: judge what they say.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

const MOST_LINES = 8;

/** Returns the names of the programs of a node that have ended by themselves. */
export function endedPrograms(folder) {
  const file = join(folder, "ended");
  return existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : [];
}

/** Returns the end of the node's own log and of those of the programs that ended; of all of them where none did. */
export function whyNoNode(folder) {
  const logs = existsSync(join(folder, "log")) ? readdirSync(join(folder, "log")).sort() : [];
  const ended = endedPrograms(folder);
  const told = logs.filter((log) => ended.length === 0 || ["node", ...ended].includes(basename(log, ".log")));
  return told.map((log) => lastLines(join(folder, "log", log))).join("");
}

function lastLines(file) {
  const lines = readFileSync(file, "utf8").trimEnd().split("\n").slice(-MOST_LINES);
  return lines.join("") === "" ? "" : `\n${basename(file)} ends with:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}
