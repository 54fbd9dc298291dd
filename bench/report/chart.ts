// The chart for the README, as SVG by hand. It has no background and only middle tones, so that it reads on white and on
// black, whatever the viewer's settings say.
import type { Lane } from '../lanes.ts';
import { type Metric, metrics, type Results } from './results.ts';

type Panel = { readonly row: string; readonly metric: Metric; readonly title: string };

const panels: readonly Panel[] = [
  { row: 'h1-small', metric: 'cpuUs', title: 'HTTP/1.1 keep-alive: CPU µs per small request (less is better)' },
  { row: 'h2-small', metric: 'cpuUs', title: 'HTTP/2: CPU µs per small request (less is better)' },
  { row: 'connect-full', metric: 'cpuUs', title: 'New connections: CPU µs per full handshake (less is better)' },
  { row: 'bulk', metric: 'mbPerCpuS', title: 'Bulk download: MB per CPU second (more is better)' },
];

const ink = '#7d8590'; // contrast of 3.7 on white and 4.9 on GitHub's dark page
const colours = { ours: '#2f81f7', peer: '#8b949e', app: '#b59a5b' };
const width = 760;
const labelWidth = 150;
const barArea = 510;
const barHeight = 16;
const barStep = 22;

export function chartOf(lanes: readonly Lane[], results: Results, caption: string): string {
  const parts: string[] = [];
  let y = 24;
  for (const panel of panels) {
    const bars = lanes
      .map((lane) => ({ lane, value: results.median(panel.row, lane.name, panel.metric) }))
      .filter((bar): bar is { lane: Lane; value: number } => bar.value !== undefined);
    if (bars.length === 0) continue;
    bars.sort((a, b) => (metrics[panel.metric].better === 'less' ? a.value - b.value : b.value - a.value));
    const most = Math.max(...bars.map((bar) => bar.value));
    parts.push(`<text x="8" y="${y}" font-weight="600">${escapeXml(panel.title)}</text>`);
    y += 12;
    for (const { lane, value } of bars) {
      parts.push(barOf(lane, value, { y, most, digits: metrics[panel.metric].digits }));
      y += barStep;
    }
    y += 24;
  }
  parts.push(`<text x="8" y="${y}" font-size="11">${escapeXml(caption)}</text>`);
  const height = y + 12;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img"`,
    `  font-family="-apple-system, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="13" fill="${ink}">`,
    '<title>CPU time of tls-sidecar beside other TLS proxies</title>',
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function barOf(lane: Lane, value: number, at: { y: number; most: number; digits: number }): string {
  const length = Math.max(1, (value / at.most) * barArea).toFixed(1);
  const colour = lane.ours ? colours.ours : lane.kind === 'app' ? colours.app : colours.peer;
  const weight = lane.ours ? ' font-weight="600"' : '';
  const base = at.y + barHeight - 4;
  const label = lane.kind === 'app' ? 'the app itself' : lane.kind === 'tcp' ? `${lane.name} (TCP)` : lane.name;
  return [
    `<text x="${labelWidth - 8}" y="${base}" text-anchor="end"${weight}>${escapeXml(label)}</text>`,
    `<rect x="${labelWidth}" y="${at.y}" width="${length}" height="${barHeight}" rx="2" fill="${colour}"/>`,
    `<text x="${(labelWidth + Number(length) + 6).toFixed(1)}" y="${base}"${weight}>${value.toFixed(at.digits)}</text>`,
  ].join('\n');
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
