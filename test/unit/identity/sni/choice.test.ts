// Which certificates stand together, and which one is the fallback.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createAuthority, type IssueOptions } from '../../../../certs/authority.ts';
import { parseBundle } from '../../../../src/identity/bundle.ts';
import { type Credentials, createChoice } from '../../../../src/identity/sni/choice.ts';
import { tlsOptions } from '../../../../src/identity/tls-options.ts';

const authority = await createAuthority();
const now = new Date();
let made = 0;

async function pair(options: IssueOptions): Promise<Credentials> {
  const { chain, key } = await authority.issue(options);
  const bundle = parseBundle({ certPath: 'c', keyPath: 'k', cert: Buffer.from(chain), key: Buffer.from(key) });
  return {
    bundle,
    tls: tlsOptions(
      bundle,
      { ticketKeys: Buffer.alloc(48), sessionIdContext: 'test', minVersion: 'TLSv1.2' as const },
      `${++made}`,
    ),
  };
}

const rsa = await pair({ keyType: 'rsa', dns: ['a.example'], ip: ['10.0.0.1'] });

test('one pair is the fallback, and nobody is asked for a name', () => {
  const choice = createChoice([rsa], now);
  assert.equal(choice.fallback, rsa.tls);
  assert.equal(choice.choose, undefined);
});

test('a pair of another kind stands beside the first where it names all that the first does', async () => {
  const ecdsa = await pair({ dns: ['b.example', 'a.example'], ip: ['10.0.0.1'] });
  const choice = createChoice([rsa, ecdsa], now);
  assert.deepEqual(choice.fallback.cert, [rsa.bundle.cert, ecdsa.bundle.cert]);
  assert.equal(choice.choose?.('a.example'), choice.fallback);
  assert.equal(choice.choose?.('b.example'), ecdsa.tls);
});

for (const [what, options] of [
  ['a name', { dns: ['b.example'], ip: ['10.0.0.1'] }],
  ['an address, by which clients come without a name', { dns: ['a.example'] }],
] as const) {
  test(`it does not where it lacks ${what}`, async () => {
    const choice = createChoice([rsa, await pair(options)], now);
    assert.equal(choice.fallback, rsa.tls);
  });
}

test('nothing stands beside a first pair without names', async () => {
  const bare = await pair({ keyType: 'rsa', commonName: 'bare' });
  assert.equal(createChoice([bare, await pair({ dns: ['a.example'] })], now).fallback, bare.tls);
});

test('of one kind and name the first is shown; names of one group have the same settings', async () => {
  const [one, two] = [await pair({ dns: ['x.example', 'y.example'] }), await pair({ dns: ['y.example', 'z.example'] })];
  const choice = createChoice([rsa, one, two], now);
  assert.equal(choice.choose?.('x.example'), one.tls);
  assert.equal(choice.choose?.('y.example'), one.tls);
  assert.equal(choice.choose?.('z.example'), two.tls);
  assert.equal(choice.choose?.('none.example'), choice.fallback);
});

test('nobody is asked for a name where every name leads to the same pairs', async () => {
  const choice = createChoice([rsa, await pair({ dns: ['a.example'], ip: ['10.0.0.1'] })], now);
  assert.deepEqual([(choice.fallback.cert as string[]).length, choice.choose], [2, undefined]);
});

test('kinds of key stand together by name, in the order that they were given in', async () => {
  const [first, one, other] = [
    await pair({ dns: ['first.example'] }),
    await pair({ dns: ['a.example', 'b.example'] }),
    await pair({ keyType: 'rsa', dns: ['a.example', 'c.example'] }),
  ];
  const { choose } = createChoice([first, one, other], now);
  assert.deepEqual(choose?.('a.example').cert, [one.bundle.cert, other.bundle.cert]);
  assert.equal(choose?.('b.example'), one.tls);
  assert.equal(choose?.('c.example'), other.tls);
});

describe('a pair outside its dates', () => {
  const past = { notBefore: new Date(now.getTime() - 2e8), notAfter: new Date(now.getTime() - 1e8) };
  const future = { notBefore: new Date(now.getTime() + 1e8), notAfter: new Date(now.getTime() + 2e8) };
  for (const [what, dates] of Object.entries({ past, future })) {
    test(`stands back for one inside them, of the same kind or another (${what})`, async () => {
      const same = { dns: ['a.example'], ip: ['10.0.0.1'] };
      const [other, old] = [await pair(same), await pair({ ...same, ...dates })];
      assert.equal(createChoice([old, other], now).fallback, other.tls);
      assert.equal(createChoice([old, rsa], now).fallback, rsa.tls);
      assert.equal(createChoice([rsa, old], now).fallback, rsa.tls);
    });

    test(`is served where there is no other for the name (${what})`, async () => {
      const old = await pair({ dns: ['old.example'], ...dates });
      const choice = createChoice([rsa, old], now);
      assert.equal(choice.choose?.('old.example'), old.tls);
      const twice = await pair({ keyType: 'rsa', dns: ['old.example'], ...dates });
      const { choose } = createChoice([rsa, old, twice], now);
      assert.deepEqual(choose?.('old.example').cert, [old.bundle.cert, twice.bundle.cert]);
      const first = createChoice([old, rsa], now);
      assert.deepEqual([first.fallback, first.choose?.('a.example')], [old.tls, rsa.tls]);
    });
  }
});

test('sessions belong to the pairs that a name leads to, whatever is in them', async () => {
  const [one, two] = [
    await pair({ dns: ['one.example', 'both.example'] }),
    await pair({ keyType: 'rsa', dns: ['both.example'] }),
  ];
  const { fallback, choose } = createChoice([rsa, one, two], now);
  const contexts = [fallback, ...['one.example', 'both.example'].map((name) => choose?.(name))];
  assert.equal(new Set(contexts.map((tls) => tls?.sessionIdContext)).size, 3);
  for (const tls of contexts) assert.ok(Buffer.byteLength(String(tls?.sessionIdContext)) <= 32);
  const again = createChoice([rsa, { ...one }, two], now);
  assert.equal(again.choose?.('both.example').sessionIdContext, contexts[2]?.sessionIdContext);
});

test('a thousand pairs of a hundred names each are told apart', async () => {
  const bundles = Array.from({ length: 1000 }, (_, at) => {
    const names = Array.from({ length: 100 }, (_, i) => `DNS:n${i}.p${at}.example`).join(', ');
    return { tls: {}, bundle: { ...rsa.bundle, names } };
  });
  const choice = createChoice(bundles as [Credentials, ...Credentials[]], now);
  assert.equal(choice.choose?.('n99.p999.example'), bundles[999]?.tls);
});
