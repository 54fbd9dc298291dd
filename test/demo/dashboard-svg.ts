// The dashboard as a picture: its panels in their places, as SVG by hand. Light and dark by the viewer's settings.

import type { DashboardPanel, Series } from '../support/prometheus.ts';

/** What one query of a panel gave. */
export type Drawn = { readonly legend: string; readonly series: readonly Series[] };
export type DrawnPanel = { readonly panel: DashboardPanel; readonly queries: readonly Drawn[] };

type Line = { readonly name: string; readonly points: Series['points'] };
type Box = { readonly x: number; readonly y: number; readonly w: number; readonly h: number };

const WIDTH = 1200;
const COLUMN = WIDTH / 24;
const ROW = 30;
const GAP = 6;
const PAD = 12;
/** Of a panel: its title above, its legend below. */
const TITLE = 28;
const LEGEND_LINE = 15;
const AXIS = 52;
/** Told apart by people who see few colours, too (Okabe and Ito). */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#8c6bb1', '#7f7f7f', '#a6761d'];
const STYLE = `
.page{fill:#f4f5f5}.panel{fill:#fff;stroke:#e2e4e8}.ink{fill:#24292e}.dim{fill:#6a737d}.grid{stroke:#e2e4e8}
@media (prefers-color-scheme:dark){.page{fill:#111217}.panel{fill:#181b1f;stroke:#2c3235}.ink{fill:#d8d9da}.dim{fill:#8e959c}.grid{stroke:#2c3235}}`;

/** `from` and `to` in seconds since 1970. */
export function dashboardSvg(panels: readonly DrawnPanel[], from: number, to: number, caption: string): string {
  const bottom = Math.max(...panels.map(({ panel: { gridPos } }) => gridPos.y + gridPos.h));
  const height = bottom * ROW + 26;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img"`,
    `  font-family="-apple-system, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="12">`,
    '<title>The dashboard of tls-sidecar</title>',
    `<style>${STYLE}</style>`,
    `<rect class="page" width="${WIDTH}" height="${height}"/>`,
    ...panels.flatMap((drawn) => panelOf(drawn, from, to)),
    text({ x: PAD, y: height - 9 }, caption, 'class="dim" font-size="11"'),
    '</svg>',
    '',
  ].join('\n');
}

function panelOf({ panel, queries }: DrawnPanel, from: number, to: number): string[] {
  const { x, y, w, h } = panel.gridPos;
  const box = { x: x * COLUMN + GAP / 2, y: y * ROW + GAP / 2, w: w * COLUMN - GAP, h: h * ROW - GAP };
  const { unit } = panel.fieldConfig.defaults;
  const lines = queries.flatMap(({ legend, series }) =>
    series.map(({ labels, points }) => ({ name: nameOf(legend, labels), points })),
  );
  return [
    `<rect class="panel" x="${box.x}" y="${box.y}" width="${box.w}" height="${box.h}" rx="3"/>`,
    text({ x: box.x + PAD, y: box.y + 19 }, panel.title, 'class="ink" font-weight="600"'),
    ...(panel.type === 'stat' ? statOf(box, lines, unit) : chartOf(box, lines, { unit, from, to })),
  ];
}

function nameOf(legend: string, labels: Series['labels']): string {
  if (legend !== '__auto') return legend.replaceAll(/\{\{\s*(\w+)\s*\}\}/g, (_, label: string) => labels[label] ?? '');
  return Object.values(labels).join(' ');
}

function statOf(box: Box, lines: readonly Line[], unit: string): string[] {
  const values = lines.map(({ points }) => amount(points.at(-1)?.[1] ?? Number.NaN, unit));
  const at = { x: box.x + box.w / 2, y: box.y + box.h / 2 + 24 };
  return [text(at, values.join(' / '), 'class="ink" font-size="30" font-weight="600" text-anchor="middle"')];
}

function chartOf(box: Box, lines: readonly Line[], how: { unit: string; from: number; to: number }): string[] {
  const { unit, from, to } = how;
  const legend = legendOf(lines, box, unit);
  const plot = {
    x: box.x + AXIS,
    y: box.y + TITLE + 4,
    w: box.w - AXIS - PAD,
    h: box.h - TITLE - 26 - legend.rows * LEGEND_LINE,
  };
  const values = lines.flatMap(({ points }) => points.map(([, value]) => value)).filter(Number.isFinite);
  const most = roundUp(Math.max(0, ...values));
  const grid = [0, 0.5, 1].flatMap((part) => {
    const y = plot.y + plot.h * (1 - part);
    return [
      `<line class="grid" x1="${plot.x}" x2="${plot.x + plot.w}" y1="${y}" y2="${y}"/>`,
      text({ x: plot.x - 6, y: y + 4 }, amount(most * part, unit), 'class="dim" font-size="10" text-anchor="end"'),
    ];
  });
  const drawn = lines.map(({ points }, index) => {
    const steps = points
      .filter(([, value]) => Number.isFinite(value))
      .map(([seconds, value]) => {
        const x = plot.x + (plot.w * (seconds - from)) / (to - from);
        const y = plot.y + plot.h * (1 - value / most);
        return `${x.toFixed(1)},${y.toFixed(1)}`;
      });
    return `<polyline points="${steps.join(' ')}" fill="none" stroke="${colourOf(index)}" stroke-width="1.4"/>`;
  });
  const times = [0, 0.5, 1].map((part) => {
    const ago = Math.round((to - from) * (1 - part));
    const anchor = part === 0 ? 'start' : part === 1 ? 'end' : 'middle';
    const at = { x: plot.x + plot.w * part, y: plot.y + plot.h + 14 };
    return text(at, ago === 0 ? 'now' : `-${ago} s`, `class="dim" font-size="10" text-anchor="${anchor}"`);
  });
  return [...grid, ...drawn, ...times, ...legend.parts];
}

function legendOf(lines: readonly Line[], box: Box, unit: string): { parts: string[]; rows: number } {
  const entries = lines.map(({ name, points }) => `${name} ${amount(points.at(-1)?.[1] ?? Number.NaN, unit)}`);
  const placed: { readonly x: number; readonly row: number }[] = [];
  let [x, row] = [box.x + PAD, 0];
  for (const entry of entries) {
    const width = entry.length * 5.6 + 22;
    if (x + width > box.x + box.w - PAD && x > box.x + PAD) [x, row] = [box.x + PAD, row + 1];
    placed.push({ x, row });
    x += width;
  }
  const rows = entries.length === 0 ? 0 : row + 1;
  const parts = placed.flatMap((place, index) => {
    const y = box.y + box.h - 8 - (rows - 1 - place.row) * LEGEND_LINE;
    return [
      `<rect x="${place.x}" y="${y - 5}" width="10" height="3" fill="${colourOf(index)}"/>`,
      text({ x: place.x + 14, y }, entries[index] ?? '', 'class="dim" font-size="10"'),
    ];
  });
  return { parts, rows };
}

function colourOf(index: number): string {
  return COLOURS[index % COLOURS.length] ?? '';
}

/** 1, 2 or 5 times a power of ten. */
function roundUp(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((times) => times * power >= value) ?? 10) * power;
}

/** A value with its unit, as Grafana writes those that the dashboard has. */
function amount(value: number, unit: string): string {
  if (!Number.isFinite(value)) return '-';
  switch (unit) {
    case 'percentunit':
      return `${digits(value * 100)} %`;
    case 's':
      return seconds(value);
    case 'bytes':
      return scaled(value, 1024, ['B', 'KiB', 'MiB', 'GiB']);
    case 'Bps':
      return scaled(value, 1000, ['B/s', 'kB/s', 'MB/s', 'GB/s']);
    case 'reqps':
    case 'ops':
      return `${digits(value)}/s`;
    default:
      return digits(value);
  }
}

function seconds(value: number): string {
  if (value >= 2 * 86_400) return `${digits(value / 86_400)} d`;
  if (value >= 2 * 3600) return `${digits(value / 3600)} h`;
  if (value >= 1 || value === 0) return `${digits(value)} s`;
  return value >= 0.001 ? `${digits(value * 1000)} ms` : `${digits(value * 1e6)} µs`;
}

function scaled(value: number, step: number, names: readonly string[]): string {
  const power = value < 1 ? 0 : Math.min(names.length - 1, Math.floor(Math.log(value) / Math.log(step)));
  return `${digits(value / step ** power)} ${names[power]}`;
}

function digits(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

function text(at: { readonly x: number; readonly y: number }, words: string, attributes: string): string {
  const safe = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return `<text x="${at.x.toFixed(1)}" y="${at.y.toFixed(1)}" ${attributes}>${safe}</text>`;
}
