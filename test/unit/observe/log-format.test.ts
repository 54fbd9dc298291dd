// How lines begin, by format: time as ISO 8601, levels as words, and what else each collector wants.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { JsonFields, logTo } from '../../../src/observe/log.ts';
import { formatOptions, type LogFormat } from '../../../src/observe/log-format.ts';

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

function textsOf(format: LogFormat, fields: object, level = 'trace'): string[] {
  const lines: string[] = [];
  const log = logTo((line) => void lines.push(line), { level, format });
  for (const name of LEVELS) log[name](fields, 'said');
  return lines;
}

function linesOf(format: LogFormat): Record<string, unknown>[] {
  return textsOf(format, { host: 'a' }).map((line) => JSON.parse(line));
}

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe('a line', () => {
  test('of json has level, time and msg', () => {
    const lines = linesOf('json');
    assert.deepEqual(
      lines.map(({ level }) => level),
      ['trace', 'debug', 'info', 'warn', 'error', 'fatal'],
    );
    const { time, ...rest } = lines[0] ?? {};
    assert.match(String(time), ISO);
    assert.deepEqual(rest, { level: 'trace', host: 'a', msg: 'said' });
  });

  test('of gcp has severity, time and message', () => {
    const lines = linesOf('gcp');
    assert.deepEqual(
      lines.map(({ severity }) => severity),
      ['DEBUG', 'DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'],
    );
    const { time, ...rest } = lines[3] ?? {};
    assert.match(String(time), ISO);
    assert.deepEqual(rest, { severity: 'WARNING', host: 'a', message: 'said' });
  });

  test('of ecs has log.level, @timestamp, message and a version, and our fields under a name of ours', () => {
    const { '@timestamp': time, ...rest } = linesOf('ecs')[4] ?? {};
    assert.match(String(time), ISO);
    const own = { 'log.level': 'error', 'ecs.version': '8.11.0', message: 'said', tls_sidecar: { host: 'a' } };
    assert.deepEqual(rest, own);
  });
});

for (const format of ['json', 'gcp', 'ecs'] as const) {
  test(`of fields that are JSON already, ${format} makes the same line as of their object, at the same levels`, (t) => {
    t.mock.method(Date, 'now', () => Date.UTC(2026, 10, 21));
    for (const level of ['trace', 'warn', 'silent']) {
      const lines = textsOf(format, { host: 'a', status: 1 }, level);
      assert.deepEqual(textsOf(format, new JsonFields('"host":"a","status":1'), level), lines);
    }
  });
}

test('the time is that of the line, to the millisecond and over the end of a second', (t) => {
  const times = [0, 7, 999, 1000, 1042, 86_399_999, 86_400_000].map((ms) => Date.UTC(2026, 10, 21) + ms);
  t.mock.method(Date, 'now', () => times[0]);
  const { timestamp } = formatOptions('json');
  assert.ok(typeof timestamp === 'function');
  for (const ms of [...times]) {
    assert.equal(timestamp(), `,"time":"${new Date(ms).toISOString()}"`);
    times.shift();
  }
});
