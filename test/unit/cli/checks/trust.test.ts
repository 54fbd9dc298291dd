// What `check` finds about clients before TLS: how many fit, and whether more addresses are trusted than anybody can mean.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkTrust } from '../../../../src/cli/checks/trust.ts';
import { type Range, readRange } from '../../../../src/net/addresses.ts';

const ranges = (...texts: string[]): Range[] => texts.map((text) => readRange(text) as Range);
type TrustConfig = Parameters<typeof checkTrust>[0];

function lines(changes: Partial<TrustConfig> = {}, openFiles = 1024): string[] {
  const config: TrustConfig = {
    maxConnections: 'auto',
    upstreamMaxConnections: 256,
    listen: [{ host: undefined, port: 8080 }],
    upstream: [{ kind: 'tcp', host: 'localhost', port: 80 }],
    upstreamProtocol: 'auto',
    forwarder: 'wire',
    trustForwarded: [],
    proxyProtocol: [],
    plaintext: 'reject',
    ...changes,
  };
  return checkTrust(config, { memoryBytes: 2 ** 34, openFiles }).map(({ level, text }) => `${level} ${text}`);
}

describe('check', () => {
  test('says how many connections fit, and what bounds them', () => {
    assert.deepEqual(lines(), ['ok --max-connections auto: 688 connections, for 1024 open files']);
    assert.match(
      lines({}, 1 << 20)[0] ?? '',
      /^ok --max-connections auto: \d{5,} connections, for 16384 MiB of memory$/,
    );
    assert.deepEqual(lines({ maxConnections: 688 }), ['ok --max-connections 688: 1024 open files allow 688']);
    assert.match(
      lines({ maxConnections: 689 })[0] ?? '',
      /^warning --max-connections 689 is more than 1024 open files allow; take 688/,
    );
  });

  test('counts what may be open to the app, and warns where that has to be less', () => {
    const allowed = (changes: Partial<TrustConfig>): string =>
      / (\d+) connections/.exec(lines(changes)[0] ?? '')?.[1] ?? '';
    assert.equal(allowed({ upstreamProtocol: 'http1' }), String(960 - 256));
    assert.equal(allowed({ upstreamProtocol: 'h2c' }), String(960 - 16));
    assert.equal(allowed({ upstream: [{ kind: 'tcp', host: 'localhost', port: 80, h2c: true }] }), String(960 - 16));
    assert.equal(allowed({ forwarder: 'http-proxy', upstreamMaxConnections: 100 }), String(960 - 300 - 16));
    const listen = [8080, 8081].map((port) => ({ host: undefined, port }));
    const [http, h2c] = [
      { kind: 'tcp', host: 'localhost', port: 81 } as const,
      { kind: 'tcp', host: 'localhost', port: 82, h2c: true } as const,
    ];
    const both = (second: typeof http | typeof h2c): string =>
      allowed({
        listen,
        upstream: [{ kind: 'tcp', host: 'localhost', port: 80 }, second],
        upstreamMaxConnections: 100,
      });
    assert.equal(both(http), String(960 - 2 * (100 + 16)));
    assert.equal(both(h2c), String(960 - (100 + 16) - 16));
    assert.deepEqual(lines({ upstreamMaxConnections: 1000 }), [
      'ok --max-connections auto: 480 connections, for 1024 open files',
      'warning --upstream-max-connections 1000 is more than 1024 open files allow beside the clients; 464 are used; raise that limit',
    ]);
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
