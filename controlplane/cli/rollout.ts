// `scrim rollout`: which versions of the plugins are served to which share of their proxies, and the commands that
// decide.
import type { Command } from "commander";
import { readFile } from "node:fs/promises";
import type { RolloutStatus } from "../rollout/status.ts";
import { fetchRollouts, postChange } from "./admin-client.ts";
import { commandFailure } from "./exit-codes.ts";
import { openMesh } from "./asked-mesh/asked-mesh.ts";
import { type AskOptions, examples, outputOption, type TableOptions, withAskedMesh } from "./options.ts";
import type { CommandContext } from "./context.ts";
import { renderTable, renderValue } from "./output.ts";

const NAMES = `
A plugin is named NAME or NAMESPACE/NAME. How a new version is rolled out stands in the WasmPlugin's annotation \
scrim.mesh/rollout.
`;
const PLUGIN = "NAME or NAMESPACE/NAME";

const VERBS = {
  promote: "give the new version to all proxies now",
  abort: "take the new version back",
  undo: "go back to the version before",
} as const;
type RolloutVerb = keyof typeof VERBS;

/** Adds `scrim rollout`. */
export function addRollout(program: Command, context: CommandContext): void {
  const parent = program
    .command("rollout")
    .description("which version of a plugin its proxies get")
    .addHelpText(
      "after",
      NAMES + examples("scrim rollout status", "scrim rollout status shop/header -o json", "scrim rollout undo header"),
    );
  const status = parent
    .command("status")
    .description("the versions of all plugins, or of one with its history")
    .argument("[plugin]", PLUGIN);
  withAskedMesh(status)
    .addOption(outputOption("table", "json", "yaml"))
    .action((plugin: string | undefined, options: TableOptions) => rolloutStatus(plugin, options, context));
  for (const verb of Object.keys(VERBS) as readonly RolloutVerb[])
    withAskedMesh(parent.command(verb).description(VERBS[verb]).argument("<plugin>", PLUGIN)).action(
      (plugin: string, options: AskOptions) => changeRollout(verb, plugin, options, context),
    );
}

const DONE: Readonly<Record<RolloutVerb, string>> = {
  promote: "its new version goes to all proxies now",
  abort: "its new version is taken back",
  undo: "the version before serves again",
};

/** Prints the plugins' versions; one plugin with its history. */
async function rolloutStatus(
  plugin: string | undefined,
  options: TableOptions,
  context: CommandContext,
): Promise<void> {
  const { terminal } = context;
  const { rollouts } = await fetchRollouts(await openMesh(options, context));
  const shown = plugin === undefined ? rollouts : [find(rollouts, plugin)];
  if (options.output !== "table")
    return terminal.out(renderValue(plugin === undefined ? shown : shown[0], options.output));
  terminal.out(
    renderTable(
      ["PLUGIN", "SERVING", "NEW VERSION", "SHARE", "PROXIES"],
      shown.map((rollout) => [
        rollout.plugin,
        rollout.stable ?? "-",
        rollout.candidate?.version ?? "-",
        rollout.candidate === undefined ? "-" : shareOf(rollout),
        rollout.candidate === undefined
          ? `${rollout.proxies.all}`
          : `${rollout.proxies.candidate} of ${rollout.proxies.all}`,
      ]),
    ),
  );
  for (const rollout of shown) for (const line of remarksOn(rollout)) terminal.out(`\n${rollout.plugin}: ${line}\n`);
  if (plugin === undefined) return;
  const history = shown[0]?.history ?? [];
  terminal.out(
    `\n${renderTable(
      ["WHEN", "VERSION", "OUTCOME", "WHY"],
      history.map(({ atMs, version, outcome, why }) => [new Date(atMs).toISOString(), version, outcome, why || "-"]),
    )}`,
  );
}

function shareOf({ sharePercent, candidate }: RolloutStatus): string {
  if (candidate?.waits === true) return "waits";
  return `${sharePercent} %${candidate?.plan.of === "requests" ? " of requests" : ""}`;
}

function remarksOn(status: RolloutStatus): readonly string[] {
  const { refusal, refused, candidate, waitsFor, missingMetric, traps, history } = status;
  const remarks: string[] = [];
  if (refusal !== undefined) remarks.push(refusal);
  if (candidate?.waits === true) {
    const others = waitsFor.join(", ") || "another plugin";
    remarks.push(`${candidate.version} waits for the rollout of ${others} on the same proxies`);
  }
  if (missingMetric !== undefined)
    remarks.push(`no proxy with the new version counts ${missingMetric}: rollback.metric watches nothing`);
  if (refused !== undefined) {
    const outcome = history.findLast(({ version }) => version === refused)?.outcome ?? "taken back";
    remarks.push(`${refused} was ${outcome}, and is not tried again until the plugin asks for another version`);
  }
  for (const { version, count, last } of traps) {
    const often = count === 1 ? "once" : `${count} times`;
    const where = `${last.callback} on ${last.proxy} (${new Date(last.atMs).toISOString()})`;
    remarks.push(`${version} trapped ${often}, last in ${where}: ${last.message}`);
  }
  return remarks;
}

/** Does what was asked for, or throws CommandFailure with the reason. */
async function changeRollout(
  verb: RolloutVerb,
  plugin: string,
  options: AskOptions,
  context: CommandContext,
): Promise<void> {
  const mesh = await openMesh(options, context);
  const { tokenFile, rollouts } = await fetchRollouts(mesh);
  const found = find(rollouts, plugin);
  const token = await readFile(tokenFile, "utf8").catch((cause: unknown) => {
    throw commandFailure(
      "failed",
      `The token for changes cannot be read (${tokenFile}): run this as the user who runs the mesh.`,
      { cause },
    );
  });
  const { status, body } = await postChange(mesh, `/rollouts/${found.plugin}/${verb}`, token.trim());
  if (status !== 200) throw commandFailure("failed", `${found.plugin} was left as it is: ${body.trim()}.`);
  context.terminal.out(`${found.plugin}: ${DONE[verb]}\n`);
}

function find(rollouts: readonly RolloutStatus[], name: string): RolloutStatus {
  const matches = rollouts.filter(({ plugin }) => plugin === name || plugin.split("/")[1] === name);
  const [found, other] = matches;
  if (found === undefined)
    throw commandFailure(
      "not-found",
      `There is no WasmPlugin ${name}; there are: ${rollouts.map(({ plugin }) => plugin).join(", ") || "none"}.`,
    );
  if (other !== undefined)
    throw commandFailure(
      "usage",
      `${name} is in several namespaces (${matches.map(({ plugin }) => plugin).join(", ")}): write NAMESPACE/NAME.`,
    );
  return found;
}
