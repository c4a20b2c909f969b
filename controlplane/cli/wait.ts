// `scrim wait --for=distribution`: returns when what the documents say has reached every proxy it concerns.
import { type Command, Option } from "commander";
import type { Distribution } from "../admin/contract.ts";
import { contentHash } from "../model/content-hash.ts";
import { ScrimError } from "../model/failure.ts";
import { parseDurationMs } from "../model/duration.ts";
import { objectKey, refOf } from "../model/object.ts";
import { loadFiles } from "../store/load.ts";
import { allKinds } from "../model/kinds.ts";
import { formatViolation } from "../validate/violation.ts";
import { fetchDistribution } from "./admin-client.ts";
import type { CommandContext } from "./context.ts";
import { commandFailure, type CommandFailure } from "./exit-codes.ts";
import { type AskedMesh, openMesh } from "./asked-mesh/asked-mesh.ts";
import { examples, outputOption, type TableOptions, withAskedMesh } from "./options.ts";
import { type OutputFormat, renderTable, renderValue } from "./output.ts";

/** Adds `scrim wait`. */
export function addWait(program: Command, context: CommandContext): void {
  const command = program
    .command("wait")
    .description("wait until every proxy that a change concerns has acknowledged it")
    .argument("<files...>", "files or directories with the documents; their state in the mesh is waited for")
    .addOption(new Option("--for <what>", "what to wait for").choices(["distribution"]).default("distribution"))
    .option("--timeout <duration>", "how long to wait at most, as in 30s or 2m", "30s");
  withAskedMesh(command)
    .addOption(outputOption("table", "json", "yaml"))
    .addHelpText(
      "after",
      examples("scrim wait --for=distribution mesh/reviews.yaml", "scrim wait --for=distribution mesh --timeout 2m"),
    )
    .action((files: readonly string[], options: WaitOptions) => waitCommand(files, options, context));
}

type WaitOptions = TableOptions & {
  readonly for: "distribution";
  readonly timeout: string;
};

/** One object to wait for: its key, and the content it has in the files. */
interface Wanted {
  readonly object: string;
  readonly content: string;
}

const POLL_MS = 100;

/**
 * Waits, then prints how many proxies each object reached. Throws CommandFailure when the time is over, saying which
 * have not and why.
 */
async function waitCommand(files: readonly string[], options: WaitOptions, context: CommandContext): Promise<void> {
  const { terminal, clock } = context;
  const timeoutMs = parseDurationMs(options.timeout);
  if (timeoutMs === undefined)
    throw commandFailure("usage", `--timeout ${options.timeout} is not a duration: write 30s or 2m.`);
  const wanted = await readWanted(files, terminal.err);
  const mesh = await openMesh(options, context);
  const deadline = clock.nowMs() + timeoutMs;
  const states = new Map<string, Distribution>();
  for (let open = wanted; ; ) {
    const silence = await lookAt(open, mesh, states);
    // Those that got there are not asked for again.
    open = open.filter((one) => missingOf(one, states).length > 0);
    const missing = open.flatMap((one) => missingOf(one, states));
    if (silence !== undefined && clock.nowMs() >= deadline) throw silence;
    if (open.length === 0) return terminal.out(render([...states.values()], options.output));
    if (clock.nowMs() >= deadline) {
      if (options.output !== "table") terminal.out(render([...states.values()], options.output));
      throw commandFailure(
        "failed",
        `After ${options.timeout} not everything is distributed:\n${missing
          .map((line) => `  ${line}\n`)
          .join("")
          .trimEnd()}`,
      );
    }
    await clock.sleep(POLL_MS);
  }
}

/**
 * Brings the states up to date. A control plane that answered before is being started again when it is silent: returns
 * that; throws what else is wrong.
 */
async function lookAt(
  wanted: readonly Wanted[],
  mesh: AskedMesh,
  states: Map<string, Distribution>,
): Promise<CommandFailure | undefined> {
  for (const { object } of wanted) {
    try {
      states.set(object, await fetchDistribution(mesh, object));
    } catch (error) {
      if (!isUnreachable(error) || states.size === 0) throw error;
      return error;
    }
  }
  return undefined;
}

function isUnreachable(error: unknown): error is CommandFailure {
  return error instanceof ScrimError && error.code === "unreachable";
}

async function readWanted(files: readonly string[], complain: (text: string) => void): Promise<readonly Wanted[]> {
  const { world, violations } = await loadFiles(files);
  const errors = violations.filter(({ severity }) => severity === "error");
  for (const violation of errors) complain(`${formatViolation(violation)}\n`);
  if (errors.length > 0)
    throw commandFailure(
      "invalid",
      "Some documents are not valid, so the mesh will not take them: correct them first.",
    );
  const wanted = allKinds
    .flatMap((kind) => world.list(kind))
    .map((object) => ({ object: objectKey(refOf(object)), content: contentHash(object) }));
  if (wanted.length === 0) throw commandFailure("usage", `There is no document of the mesh in ${files.join(", ")}.`);
  return wanted;
}

/** What keeps an object from being distributed, a line each; nothing when it is. */
function missingOf(wanted: Wanted, states: ReadonlyMap<string, Distribution>): readonly string[] {
  const state = states.get(wanted.object);
  if (state === undefined) return [`${wanted.object}: not asked for yet`];
  const { object, content, problem, held, published, waiting, concerned, reached } = state;
  if (content !== wanted.content) {
    const because = problem === undefined ? "" : ` (${problem})`;
    return [
      content === undefined
        ? `${object}: the mesh does not have it${because}`
        : `${object}: the mesh has another version of it${because}`,
    ];
  }
  if (waiting.length > 0)
    return waiting.map(({ proxy, why }) => `${object}: reached ${reached} of ${concerned} proxies; ${proxy} ${why}`);
  if (held !== undefined) return [`${object}: ${held}`];
  return published ? [] : [`${object}: accepted, not published yet`];
}

function render(states: readonly Distribution[], format: OutputFormat): string {
  if (format !== "table") return renderValue(states, format);
  return renderTable(
    ["OBJECT", "REACHED"],
    states.map(({ object, reached, concerned }) => [object, `${reached} of ${concerned} proxies`]),
  );
}
