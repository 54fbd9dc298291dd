// Which certificates stand together, and which one is the fallback.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAuthority, type IssueOptions } from '../../../../certs/authority.ts';
import { parseBundle } from '../../../../src/identity/bundle.ts';
import { type Credentials, createContexts } from '../../../../src/identity/sni/contexts.ts';
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

test('one pair is the fallback, and its names need no context of their own', () => {
  const contexts = createContexts([rsa]);
  assert.equal(contexts.fallback, rsa.tls);
  assert.equal(contexts.choose('a.example'), undefined);
});

test('a pair of another kind stands beside the first where it names all that the first does', async () => {
  const ecdsa = await pair({ dns: ['b.example', 'a.example'], ip: ['10.0.0.1'] });
  const contexts = createContexts([rsa, ecdsa]);
  assert.deepEqual(contexts.fallback.cert, [rsa.bundle.cert, ecdsa.bundle.cert]);
  assert.equal(contexts.choose('a.example'), undefined);
  assert.notEqual(contexts.choose('b.example'), undefined);
});

for (const [what, options] of [
  ['a name', { dns: ['b.example'], ip: ['10.0.0.1'] }],
  ['an address, by which clients come without a name', { dns: ['a.example'] }],
] as const) {
  test(`it does not where it lacks ${what}`, async () => {
    const contexts = createContexts([rsa, await pair(options)]);
    assert.equal(contexts.fallback, rsa.tls);
  });
}

test('nothing stands beside a first pair without names', async () => {
  const bare = await pair({ keyType: 'rsa', commonName: 'bare' });
  assert.equal(createContexts([bare, await pair({ dns: ['a.example'] })]).fallback, bare.tls);
});

test('of one kind and name the first is shown; names of one group share a context', async () => {
  const [one, two] = [await pair({ dns: ['x.example', 'y.example'] }), await pair({ dns: ['y.example', 'z.example'] })];
  const contexts = createContexts([rsa, one, two]);
  assert.equal(contexts.choose('x.example'), contexts.choose('y.example'));
  assert.notEqual(contexts.choose('z.example'), contexts.choose('y.example'));
  assert.equal(contexts.choose('none.example'), undefined);
});
