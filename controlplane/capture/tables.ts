// Tables of iptables, as text for `iptables-restore --noflush`.

/** A table's chains in the order in which they are made, each with its rules (without `-A CHAIN`). */
export interface Table {
  readonly name: "raw" | "mangle" | "nat";
  /** The kernel's own chains: they lead to ours, and hold nothing else in a pod's network namespace. */
  readonly hooks: Readonly<Record<string, readonly string[]>>;
  /** Ours, by Istio's names. */
  readonly chains: Readonly<Record<string, readonly string[]>>;
}

/**
 * Returns the text that makes these tables what they are here, whether they stood before or not. The hooks are emptied
 * first: a rule that is added twice stands twice. All of a table is changed at one moment.
 */
export function applyText(tables: readonly Table[]): string {
  return tables.map((table) => tableText(table, [...emptied(table), ...rulesOf(table)])).join("");
}

/** Returns the text after which nothing of these tables is left, whether they stood before or not. */
export function takeBackText(tables: readonly Table[]): string {
  const removed = (table: Table) => Object.keys(table.chains).map((chain) => `-X ${chain}`);
  return tables.map((table) => tableText(table, [...emptied(table), ...removed(table)])).join("");
}

function tableText({ name, chains }: Table, lines: readonly string[]): string {
  const declared = Object.keys(chains).map((chain) => `:${chain} - [0:0]`);
  return [`*${name}`, ...declared, ...lines, "COMMIT", ""].join("\n");
}

/** A declared chain of ours is emptied by being declared. */
function emptied({ hooks }: Table): readonly string[] {
  return Object.keys(hooks).map((hook) => `-F ${hook}`);
}

function rulesOf({ hooks, chains }: Table): readonly string[] {
  return Object.entries({ ...hooks, ...chains }).flatMap(([chain, rules]) =>
    rules.map((rule) => `-A ${chain} ${rule}`),
  );
}
