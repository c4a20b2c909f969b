// A plain table for people.

/** Returns the rows as aligned lines, the first row as the head; the first column to the left, numbers to the right. */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? "").length)));
  const line = (cells: readonly string[]): string =>
    head
      .map((_, column) =>
        column === 0
          ? (cells[column] ?? "").padEnd(widths[column] ?? 0)
          : (cells[column] ?? "").padStart(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd();
  return [line(head), widths.map((width) => "─".repeat(width)).join("  "), ...rows.map(line)].join("\n");
}
