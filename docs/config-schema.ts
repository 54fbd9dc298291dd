// The JSON schema of the file of --config, for editors, out of the option table: docs/config.schema.json. `npm run fix` writes
// it; a test fails when the file holds something else.

import { isList, OPTION_NAMES, OPTIONS, type OptionName, variableOf } from '../src/config/options.ts';

export type Schema = { readonly [key: string]: unknown };

const DURATION = { type: ['string', 'integer'], pattern: '^(0|[0-9]+(\\.[0-9]+)?(ms|s|m|h))$', maximum: 0, minimum: 0 };
const SIZE = { type: ['string', 'integer'], pattern: '^[0-9]+(B|[kKMG]B?|[KMG]i|[KMG]iB)?$', minimum: 0 };
const PATH = { type: 'string', minLength: 1 };
const ADDRESS = '(\\[[0-9A-Fa-f:.%a-z]+\\]|[^:\\[\\]/\\s]*):[0-9]{1,5}';

/** By what --help says that an option takes. */
const SHAPES: Readonly<Record<string, Schema>> = {
  DURATION,
  SIZE,
  'SIZE|unlimited': { ...SIZE, pattern: '^(unlimited|[0-9]+(B|[kKMG]B?|[KMG]i|[KMG]iB)?)$' },
  'N/s[:BURST]|off': { type: 'string', pattern: '^(off|[1-9][0-9]{0,5}/[smh](:[1-9][0-9]{0,5})?)$' },
  FILE: PATH,
  NAME: PATH,
  CIDR: { type: 'string', pattern: '^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$' },
  URL: { type: 'string', pattern: '^((http|h2c)://[^/]+/?|unix:/.+)$' },
  N: { type: ['integer', 'string'], pattern: '^[0-9]+$', minimum: 1 },
  'N|auto': { type: ['integer', 'string'], pattern: '^(auto|[0-9]+)$', minimum: 1 },
  PERCENT: { type: ['integer', 'string'], pattern: '^[0-9]{1,3}%?$', minimum: 1, maximum: 100 },
  '[HOST]:PORT': { type: 'string', pattern: `^${ADDRESS}$` },
  'KIND:PORT[/PATH]': {
    type: 'string',
    pattern: '^(https?:[0-9]{1,5}(/[^;]*)?(;.*)?|tcp:[0-9]{1,5}|grpc:[0-9]{1,5}(/.*)?)$',
  },
  '[HOST]:PORT|off': { type: 'string', pattern: `^(off|${ADDRESS})$` },
};
/** Of options that take a word of their own kind. */
const OWN_SHAPES: Readonly<Partial<Record<OptionName, Schema>>> = {
  'trace-otlp': { type: 'string', pattern: '^https?://[^\\s\\\\?#@]+$' },
};
const WORDS = /^[a-z0-9][a-z0-9.-]*(?:\|[a-z0-9.-]+)+$/;

export function configSchema(): Schema {
  const options = OPTION_NAMES.map((name) => [name, optionSchema(name)]);
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Configuration file of tls-sidecar (--config)',
    type: 'object',
    additionalProperties: false,
    properties: { $schema: { type: 'string' }, ...Object.fromEntries(options) },
  };
}

/** As the file in docs/. */
export function configSchemaText(): string {
  return `${JSON.stringify(configSchema(), undefined, 2)}\n`;
}

function optionSchema(name: OptionName): Schema {
  const { help, default: value } = OPTIONS[name];
  const one = shapeOf(name);
  const shape = isList(name) ? { anyOf: [one, { type: 'array', items: one, minItems: 1 }] } : one;
  const description = `${help} Flag --${name}, variable ${variableOf(name)}.`;
  return { description, ...shape, ...(value === '' ? {} : { default: defaultOf(name) }) };
}

function shapeOf(name: OptionName): Schema {
  const option = OPTIONS[name];
  if ('switch' in option) return { type: 'boolean' };
  const { takes } = option;
  // Without quotes, YAML reads 1.2 as a number.
  if (WORDS.test(takes)) return { enum: takes.split('|').flatMap((word) => [word, ...numberOf(word)]) };
  const shape = OWN_SHAPES[name] ?? SHAPES[takes];
  if (shape === undefined) throw new Error(`docs/config-schema.ts knows no shape for "${takes}" of --${name}`);
  return shape;
}

function numberOf(word: string): number[] {
  return String(Number(word)) === word ? [Number(word)] : [];
}

function defaultOf(name: OptionName): unknown {
  const { default: value } = OPTIONS[name];
  return shapeOf(name).type === 'boolean' ? value === 'true' : value;
}
