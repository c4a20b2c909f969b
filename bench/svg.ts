// A picture of bars with their spread.
import type { Summary } from "./statistics.ts";

export interface Bar {
  readonly label: string;
  readonly value: Summary;
  /** A group has a colour of its own. */
  readonly group: string;
}

const COLOURS = ["#3b6ea5", "#c26a3d", "#6b8f3c", "#8a5a9e", "#7a7a7a"];
const ROW = 26;
const LEFT = 250;
const WIDTH = 520;

/** Returns an SVG document: a horizontal bar for each value, a line for its spread, the number beside it. */
export function renderBars(title: string, unit: string, bars: readonly Bar[]): string {
  const largest = Math.max(1e-9, ...bars.map(({ value }) => Math.max(value.high, value.median)));
  const x = (value: number): number => LEFT + (Math.max(0, value) / largest) * WIDTH;
  const groups = [...new Set(bars.map(({ group }) => group))];
  const height = 70 + bars.length * ROW;
  const rows = bars.map((bar, index) =>
    renderBar(bar, {
      y: 50 + index * ROW,
      x,
      unit,
      colour: COLOURS[groups.indexOf(bar.group) % COLOURS.length] ?? "#000",
    }),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${LEFT + WIDTH + 130} ${height}" ` +
      'font-family="system-ui, sans-serif" font-size="13">',
    `<rect width="100%" height="100%" fill="#fff"/>`,
    `<text x="12" y="26" font-size="16" font-weight="600">${escapeXml(title)}</text>`,
    ...rows,
    `</svg>`,
    "",
  ].join("\n");
}

interface BarPlace {
  readonly y: number;
  readonly x: (value: number) => number;
  readonly unit: string;
  readonly colour: string;
}

function renderBar({ label, value }: Bar, { y, x, unit, colour }: BarPlace): string {
  const end = x(value.median);
  const number = `${value.median.toFixed(1)} ${unit}`;
  return [
    `<text x="${LEFT - 8}" y="${y + 14}" text-anchor="end">${escapeXml(label)}</text>`,
    `<rect x="${LEFT}" y="${y + 2}" width="${(end - LEFT).toFixed(1)}" height="16" fill="${colour}"/>`,
    `<line x1="${x(value.low).toFixed(1)}" x2="${x(value.high).toFixed(1)}" y1="${y + 10}" ` +
      `y2="${y + 10}" stroke="#111"/>`,
    `<text x="${(Math.max(end, x(value.high)) + 6).toFixed(1)}" y="${y + 14}">${escapeXml(number)}</text>`,
  ].join("");
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
