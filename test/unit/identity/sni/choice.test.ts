// Which certificates stand together, and which one is the fallback.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAuthority, type IssueOptions } from '../../../../certs/authority.ts';
import { parseBundle } from '../../../../src/identity/bundle.ts';
import { type Credentials, createChoice } from '../../../../src/identity/sni/choice.ts';
import { tlsOptions } from '../../../../src/identity/tls-options.ts';

const authority = await createAuthority();

async function pair(options: IssueOptions): Promise<Credentials> {
  const { chain, key } = await authority.issue(options);
  const bundle = parseBundle({ certPath: 'c', keyPath: 'k', cert: Buffer.from(chain), key: Buffer.from(key) });
  return {
    bundle,
    tls: tlsOptions(bundle, { ticketKeys: Buffer.alloc(48), sessionIdContext: 'test', minVersion: 'TLSv1.2' as const }),
  };
}

const rsa = await pair({ keyType: 'rsa', dns: ['a.example'], ip: ['10.0.0.1'] });

test('one pair is the fallback, and nobody is asked for a name', () => {
  const choice = createChoice([rsa]);
  assert.equal(choice.fallback, rsa.tls);
  assert.equal(choice.choose, undefined);
});

test('a pair of another kind stands beside the first where it names all that the first does', async () => {
  const ecdsa = await pair({ dns: ['b.example', 'a.example'], ip: ['10.0.0.1'] });
  const choice = createChoice([rsa, ecdsa]);
  assert.deepEqual(choice.fallback.cert, [rsa.bundle.cert, ecdsa.bundle.cert]);
  assert.equal(choice.choose?.('a.example'), choice.fallback);
  assert.equal(choice.choose?.('b.example'), ecdsa.tls);
});

for (const [what, options] of [
  ['a name', { dns: ['b.example'], ip: ['10.0.0.1'] }],
  ['an address, by which clients come without a name', { dns: ['a.example'] }],
] as const) {
  test(`it does not where it lacks ${what}`, async () => {
    const choice = createChoice([rsa, await pair(options)]);
    assert.equal(choice.fallback, rsa.tls);
  });
}

test('nothing stands beside a first pair without names', async () => {
  const bare = await pair({ keyType: 'rsa', commonName: 'bare' });
  assert.equal(createChoice([bare, await pair({ dns: ['a.example'] })]).fallback, bare.tls);
});

test('of one kind and name the first is shown; names of one group have the same settings', async () => {
  const [one, two] = [await pair({ dns: ['x.example', 'y.example'] }), await pair({ dns: ['y.example', 'z.example'] })];
  const choice = createChoice([rsa, one, two]);
  assert.equal(choice.choose?.('x.example'), one.tls);
  assert.equal(choice.choose?.('y.example'), one.tls);
  assert.equal(choice.choose?.('z.example'), two.tls);
  assert.equal(choice.choose?.('none.example'), choice.fallback);
});

test('nobody is asked for a name where every name leads to the same pairs', async () => {
  const choice = createChoice([rsa, await pair({ dns: ['a.example'], ip: ['10.0.0.1'] })]);
  assert.deepEqual([(choice.fallback.cert as string[]).length, choice.choose], [2, undefined]);
});

test('kinds of key stand together by name, in the order that they were given in', async () => {
  const [first, one, other] = [
    await pair({ dns: ['first.example'] }),
    await pair({ dns: ['a.example', 'b.example'] }),
    await pair({ keyType: 'rsa', dns: ['a.example', 'c.example'] }),
  ];
  const { choose } = createChoice([first, one, other]);
  assert.deepEqual(choose?.('a.example').cert, [one.bundle.cert, other.bundle.cert]);
  assert.equal(choose?.('b.example'), one.tls);
  assert.equal(choose?.('c.example'), other.tls);
});
