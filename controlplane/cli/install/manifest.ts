// `scrim manifest generate`: what `scrim install` would apply, as YAML for kubectl.
import { stringify } from "yaml";
import { isFailed } from "../../model/failure.ts";
import { describeInstallation, namespacesOf } from "../../install/installation.ts";
import type { CommandContext } from "../context.ts";
import { commandFailure } from "../exit-codes.ts";
import { type ClusterOptions, nameOfInstallation, type ValuesOptions } from "./options.ts";
import { readValues } from "./read-values.ts";

/** Prints them. Throws CommandFailure. */
export async function generate(options: ClusterOptions & ValuesOptions, { terminal }: CommandContext): Promise<void> {
  const { namespace } = nameOfInstallation(options);
  const given = await readValues(options, (line) => terminal.err(`${line}\n`));
  const values = { ...given, ...(options.revision !== undefined && { revision: options.revision }) };
  const installation = describeInstallation(values, namespace);
  if (isFailed(installation)) throw commandFailure("invalid", `${installation.message}.`);
  const namespaces = namespacesOf(installation).map((name) => ({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name },
  }));
  const objects = [...namespaces, ...installation.steps.flatMap((step) => step.objects)];
  // kubectl reads YAML 1.1.
  const options11 = { lineWidth: 0, aliasDuplicateObjects: false, version: "1.1" } as const;
  terminal.out(objects.map((object) => `---\n${stringify(object, options11)}`).join(""));
}
