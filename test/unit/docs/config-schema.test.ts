// The schema of the configuration file is what the code says, and accepts what the options take.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { configSchema, configSchemaText, type Schema } from '../../../docs/config-schema.ts';
import { OPTION_NAMES, OPTIONS, type OptionName } from '../../../src/config/options.ts';

const properties = configSchema().properties as Record<string, Schema>;

/** As draft 7 has it, for the keywords that the schema uses. */
function accepts(schema: Schema, value: unknown): boolean {
  const { type, pattern, minimum, maximum, minLength, minItems, items, anyOf } = schema;
  if (anyOf !== undefined) return (anyOf as Schema[]).some((one) => accepts(one, value));
  if (schema.enum !== undefined) return (schema.enum as unknown[]).includes(value);
  const types = [type].flat();
  if (typeof value === 'string') {
    const long = value.length >= ((minLength as number | undefined) ?? 0);
    return types.includes('string') && long && (pattern === undefined || new RegExp(pattern as string).test(value));
  }
  if (typeof value === 'number') {
    const within = value >= ((minimum as number) ?? -Infinity) && value <= ((maximum as number) ?? Infinity);
    return types.includes('integer') && Number.isInteger(value) && within;
  }
  if (Array.isArray(value))
    return (
      types.includes('array') &&
      value.length >= (minItems as number) &&
      value.every((one) => accepts(items as Schema, one))
    );
  return typeof value === 'boolean' && types.includes('boolean');
}

it('docs/config.schema.json is up to date (npm run fix writes it)', () => {
  assert.equal(readFileSync(new URL('../../../docs/config.schema.json', import.meta.url), 'utf8'), configSchemaText());
});

it('has every option once, and no other key but that of the schema itself', () => {
  assert.deepEqual(Object.keys(properties), ['$schema', ...OPTION_NAMES]);
  assert.equal(configSchema().additionalProperties, false);
});

describe('the schema of every option', () => {
  for (const name of OPTION_NAMES) {
    it(`tells what --${name} is, and accepts its own default`, () => {
      const schema = properties[name] ?? {};
      assert.ok(String(schema.description).startsWith(OPTIONS[name].help));
      if (schema.default !== undefined) assert.ok(accepts(schema, schema.default));
    });
  }
});

const values: Partial<Record<OptionName, readonly unknown[]>> = {
  'idle-timeout': ['250ms', '10s', '1.5m', '1h', '5', 'soon', '', true],
  'drain-delay': [0, '0', 5, '-1s'],
  'min-body-rate': [0, 240, '16KiB', '1MiB', '64k', '16Ki', '240B', '16 KiB', 'x'],
  'max-body-size': ['unlimited', 0, 1048576, '1MiB', 'off', '1 MiB'],
  'rate-limit': ['off', '100/s', '30/m:5', '1/h', '0/s', '5/s:0', '100', '1.5/s', '1000000/s', 10],
  'upstream-max-connections': [1, '12', 0, 'auto', 1.5],
  'max-connections': ['auto', 5, 'none', 0],
  'max-client-share': [50, '50%', 101, 'half'],
  probe: ['http:80/healthz;A=b', ['tcp:5432', 'grpc:9000/shop'], 'https:8443', 'udp:53', 'http:web/', 'tcp:1/x', 80],
  listen: [':8443', '[::1]:1', '127.0.0.1:80', 'localhost', 8443],
  admin: ['off', ':1', 'on'],
  'trace-otlp': [
    'http://collector:4318',
    'https://a/b/c',
    'collector:4318',
    'http://u:p@a',
    'http://a?key=1',
    'http://a b',
  ],
  upstream: ['http://localhost:3000', 'h2c://app', 'unix:/run/app.sock', 'https://app', 'http://a/b/c'],
  'tls-min-version': [1.2, '1.3', 1.3, '1.1'],
  'log-level': ['info', 'loud'],
  http2: [true, false, 'maybe'],
  'trust-forwarded': ['10.0.0.0/8', ['10.0.0.0/8', '::1'], 'everybody', []],
  'allow-cn': [['web', 'api'], 'web', ''],
  'client-ca': ['ca.pem', ''],
};

describe('the schema says of a value what the option says', () => {
  for (const [name, list] of Object.entries(values)) {
    for (const value of list) {
      it(`--${name}: ${JSON.stringify(value)}`, () => {
        const texts = [value].flat().map(String);
        assert.equal(
          accepts(properties[name] ?? {}, value),
          texts.length > 0 && texts.every((text) => isTaken(name as OptionName, text)),
        );
      });
    }
  }
});

function isTaken(name: OptionName, text: string): boolean {
  if (text === '') return false;
  try {
    OPTIONS[name].parse(text);
    return true;
  } catch {
    return false;
  }
}
