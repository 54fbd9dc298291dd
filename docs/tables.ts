// Writes the generated tables of README.md (options, flags, reasons and metrics), the schema of the configuration file and
// the dashboard, straight from the code. `npm run fix` runs it; a test fails when one of the files holds something else.

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { OPTION_NAMES, OPTIONS, variableOf } from '../src/config/options.ts';
import { REJECTIONS } from '../src/errors.ts';
import { BUNDLE_REASONS } from '../src/identity/bundle-error.ts';
import { INJECT_FLAGS } from '../src/inject/options.ts';
import { CONNECTION_REASONS, HANDSHAKE_REASONS } from '../src/listener/reasons.ts';
import { describeMetrics } from '../src/observe/metric-table.ts';
import { configSchemaText } from './config-schema.ts';
import { dashboardText } from './dashboard.ts';

const README = fileURLToPath(new URL('../README.md', import.meta.url));
const SCHEMA = fileURLToPath(new URL('config.schema.json', import.meta.url));
const DASHBOARD = fileURLToPath(new URL('../k8s/monitoring/grafana-dashboard.json', import.meta.url));

/** The README with its generated parts as the code says. */
export function withTables(readme: string): string {
  return Object.entries(TABLES).reduce((text, [name, table]) => replaceBetween(text, name, table()), readme);
}

/** By the name of their marks in the README. */
const TABLES: Readonly<Record<string, () => string>> = {
  'inject flags': injectTable,
  options: optionsTable,
  reasons: reasonsTable,
  'connection reasons': () => adviceTable(CONNECTION_REASONS),
  'handshake reasons': () => adviceTable(HANDSHAKE_REASONS),
  'certificate reasons': () => adviceTable(BUNDLE_REASONS),
  metrics: metricsTable,
};

function optionsTable(): string {
  const rows = OPTION_NAMES.map((name) => {
    const { takes, default: value, help } = OPTIONS[name];
    return `| \`--${`${name} ${escapeCell(takes)}`.trim()}\` | ${value === '' ? 'none' : `\`${value}\``} | ${escapeCell(help)} |`;
  });
  const config = `| \`--config FILE\` | none | YAML or JSON file with these options as keys; its own variable is \`${variableOf('config')}\`. |`;
  return ['| Option | Default | Meaning |', '|---|---|---|', ...rows, config].join('\n');
}

function injectTable(): string {
  const rows = Object.entries(INJECT_FLAGS).map(([name, { takes, default: value, help }]) => {
    return `| \`--${name} ${escapeCell(takes)}\` | ${value === '' ? '' : `\`${value}\``} | ${escapeCell(help)} |`;
  });
  return ['| Flag | Default | Meaning |', '|---|---|---|', ...rows].join('\n');
}

function metricsTable(): string {
  const rows = describeMetrics().map(({ name, type, labels, help }) => {
    return `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${escapeCell(help)} |`;
  });
  return ['| Metric | Type | Labels | Meaning |', '|---|---|---|---|', ...rows].join('\n');
}

function reasonsTable(): string {
  const rows = Object.values(REJECTIONS).map(({ reason, status, text, advice }) => {
    return `| \`${reason}\` | ${status} | ${escapeCell(text)} | ${escapeCell(advice)} |`;
  });
  return ['| `reason` | Status | The client reads | Look at |', '|---|---|---|---|', ...rows].join('\n');
}

function adviceTable(reasons: Readonly<Record<string, string>>): string {
  const rows = Object.entries(reasons).map(([reason, advice]) => `| \`${reason}\` | ${escapeCell(advice)} |`);
  return ['| `reason` | Look at |', '|---|---|', ...rows].join('\n');
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

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(README, withTables(readFileSync(README, 'utf8')));
  writeFileSync(SCHEMA, configSchemaText());
  writeFileSync(DASHBOARD, dashboardText());
}
