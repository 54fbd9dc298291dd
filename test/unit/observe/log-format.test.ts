// How lines begin, by format: time as ISO 8601, levels as words, and what else each collector wants.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import { formatOptions, type LogFormat } from '../../../src/observe/log-format.ts';

function linesOf(format: LogFormat): Record<string, unknown>[] {
  const lines: string[] = [];
  const log = pino({ level: 'trace', ...formatOptions(format) }, { write: (line: string) => void lines.push(line) });
  for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const) log[level]({ host: 'a' }, 'said');
  return lines.map((line) => JSON.parse(line));
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
