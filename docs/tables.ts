// Writes the generated tables of README.md: options and metrics, straight from the code. `npm run fix` runs it; a test
// fails when the README holds something else.

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { OPTION_NAMES, OPTIONS, variableOf } from '../src/config/options.ts';
import { createMetrics } from '../src/observe/metrics.ts';

const README = fileURLToPath(new URL('../README.md', import.meta.url));

/** The README with its generated parts as the code says. */
export function withTables(readme: string): string {
  return replaceBetween(replaceBetween(readme, 'options', optionsTable()), 'metrics', metricsTable());
}

function optionsTable(): string {
  const rows = OPTION_NAMES.map((name) => {
    const { takes, default: value, help } = OPTIONS[name];
    return `| \`--${`${name} ${escapeCell(takes)}`.trim()}\` | ${value === '' ? 'none' : `\`${value}\``} | ${escapeCell(help)} |`;
  });
  const config = `| \`--config FILE\` | none | YAML or JSON file with these options as keys; its own variable is \`${variableOf('config')}\`. |`;
  return ['| Option | Default | Meaning |', '|---|---|---|', ...rows, config].join('\n');
}

function metricsTable(): string {
  const metrics = createMetrics({ version: '', node: '', openssl: '' });
  const rows = metrics.describe().map(({ name, type, labels, help }) => {
    return `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${escapeCell(help)} |`;
  });
  return ['| Metric | Type | Labels | Meaning |', '|---|---|---|---|', ...rows].join('\n');
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|');
}

function replaceBetween(text: string, name: string, content: string): string {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [start, end] = [text.indexOf(open), text.indexOf(close)];
  if (start < 0 || end < start) throw new Error(`README.md has no place marked ${open} … ${close}`);
  return `${text.slice(0, start)}${open}\n${content}\n${text.slice(end)}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(README, withTables(readFileSync(README, 'utf8')));
