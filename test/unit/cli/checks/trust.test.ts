// What `check` says of the front door: how many fit, and where trust is wider than anybody can mean.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkDoor } from '../../../../src/cli/checks/trust.ts';
import { type Range, readRange } from '../../../../src/net/addresses.ts';

const ranges = (...texts: string[]): Range[] => texts.map((text) => readRange(text) as Range);
type Door = Parameters<typeof checkDoor>[0];

function lines(changes: Partial<Door> = {}, openFiles = 1024): string[] {
  const config: Door = {
    maxConnections: 'auto',
    trustForwarded: [],
    proxyProtocol: [],
    plaintext: 'reject',
    ...changes,
  };
  return checkDoor(config, { memoryBytes: 2 ** 34, openFiles }).map(({ level, text }) => `${level} ${text}`);
}

describe('check', () => {
  test('says how many connections fit, and what bounds them', () => {
    assert.deepEqual(lines(), ['ok --max-connections auto: 480 connections, for 1024 open files']);
    assert.match(
      lines({}, 1 << 20)[0] ?? '',
      /^ok --max-connections auto: \d{5,} connections, for 16384 MiB of memory$/,
    );
    assert.deepEqual(lines({ maxConnections: 480 }), ['ok --max-connections 480: 1024 open files allow 480']);
    assert.match(
      lines({ maxConnections: 481 })[0] ?? '',
      /^warning --max-connections 481 is more than 1024 open files allow; take 480/,
    );
  });

  test('warns of trust that is everybody, or wider than one network', () => {
    for (const [text, level] of [
      ['10.0.0.0/8', 'ok'],
      ['192.0.2.7', 'ok'],
      ['2001:db8::/32', 'ok'],
      ['8.0.0.0/7', 'warning'],
      ['2000::/3', 'warning'],
      ['0.0.0.0/0', 'warning'],
      ['::ffff:0:0/96', 'warning'],
      ['::/0', 'warning'],
    ] as const)
      for (const option of ['trustForwarded', 'proxyProtocol'] as const)
        assert.match(lines({ [option]: ranges(text) })[1] ?? '', new RegExp(`^${level} `), `${option} ${text}`);
    assert.match(lines({ trustForwarded: ranges('0.0.0.0/0') })[1] ?? '', /is everybody/);
  });

  test('warns of a balancer that is trusted for its fields, too', () => {
    const both = (a: string, b: string): number =>
      lines({ trustForwarded: ranges(a), proxyProtocol: ranges(b) }).filter((line) => line.includes('overlap')).length;
    assert.deepEqual(
      [both('10.0.0.0/8', '10.1.0.0/16'), both('10.1.0.0/16', '10.0.0.0/8'), both('10.0.0.1', '10.0.0.1')],
      [1, 1, 1],
    );
    assert.deepEqual([both('10.0.0.0/8', '11.0.0.0/8'), both('::/0', '10.0.0.1')], [0, 0]);
  });

  test('warns of plain HTTP that is served', () => {
    assert.match(lines({ plaintext: 'forward' })[1] ?? '', /^warning --plaintext forward/);
    assert.equal(lines({ plaintext: 'redirect' }).length, 1);
  });
});
