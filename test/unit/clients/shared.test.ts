// What all contexts share: keys and session id context are new with every change of trust, and a change that cannot be put
// into force is none.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { createAuthority } from '../../../certs/authority.ts';
import { openShared, type Shared, type SharedSettings } from '../../../src/clients/shared.ts';
import { ConfigError } from '../../../src/errors.ts';
import { BundleError } from '../../../src/identity/bundle-error.ts';
import type { SharedTls } from '../../../src/identity/tls-options.ts';

const dir = mkdtempSync(join(tmpdir(), 'shared-'));
after(() => rmSync(dir, { recursive: true }));
const [one, two] = [await createAuthority(), await createAuthority()];
let files = 0;

type Opened = { shared: Shared; told: string[]; published: SharedTls[]; write: (pem: string) => void };

function open(changes: Partial<SharedSettings> = {}, pem = one.pem): Opened {
  const path = join(dir, `${++files}.pem`);
  const write = (text: string): void => writeFileSync(path, text);
  write(pem);
  const told: string[] = [];
  const published: SharedTls[] = [];
  const settings: SharedSettings = {
    minVersion: '1.2',
    clientCa: path,
    clientAuth: 'require',
    rules: '[]',
    ...changes,
  };
  const shared = openShared(settings, () => new Date(), {
    trusted: () => void told.push('trusted'),
    reloaded: () => void told.push('reloaded'),
    refused: (reason) => void told.push(reason),
    restored: () => void told.push('restored'),
    frozen: () => void told.push('frozen'),
    differs: (differs) => void told.push(differs ? 'differs' : 'same'),
  });
  shared.publishTo((next) => void published.push(next));
  return { shared, told, published, write };
}

/** Whether a session of `a` could be resumed under `b`. */
function sharesSessions(a: SharedTls, b: SharedTls): [keys: boolean, context: boolean] {
  return [a.ticketKeys.equals(b.ticketKeys), a.sessionIdContext === b.sessionIdContext];
}

describe('what is shared', () => {
  test('says by whom clients are verified, and from which version on', () => {
    const { shared, told } = open({ minVersion: '1.3' });
    assert.deepEqual(shared.current.trust, { ca: one.pem, required: true });
    assert.equal(shared.current.minVersion, 'TLSv1.3');
    assert.equal(shared.current.ticketKeys.length, 48);
    assert.ok(Buffer.byteLength(shared.current.sessionIdContext) <= 32);
    assert.deepEqual(told, ['trusted']);
    assert.equal(open({ clientAuth: 'request' }).shared.current.trust?.required, false);
  });

  test('trusts nobody where nobody is asked', () => {
    for (const changes of [{ clientAuth: 'off' }, { clientCa: undefined }] as const) {
      const { shared, told } = open(changes);
      assert.deepEqual([shared.current.trust, shared.reload(), told], [undefined, false, []]);
    }
  });

  test('has a session id context of its own for each mode, each CA and each set of rules', () => {
    const contexts = [
      open(),
      open({ clientAuth: 'request' }),
      open({ rules: '["x"]' }),
      open({}, two.pem),
      open({ clientAuth: 'off' }),
    ].map(({ shared }) => shared.current.sessionIdContext);
    assert.equal(new Set(contexts).size, contexts.length);
  });

  test('cannot be opened with a CA that cannot be used: one line, with the option and the file', () => {
    assert.throws(
      () => open({}, 'nothing'),
      (error) => error instanceof ConfigError && /^--client-ca: .*\.pem holds no PEM certificate/.test(error.message),
    );
    const missing = join(dir, 'missing.pem');
    assert.throws(() => open({ clientCa: missing }), /--client-ca: .*missing\.pem does not exist/);
  });
});

describe('a change', () => {
  test('of the CA ends all sessions', () => {
    const { shared, told, published, write } = open();
    const before = shared.current;
    write(two.pem);
    assert.equal(shared.reload(), true);
    assert.deepEqual(sharesSessions(before, shared.current), [false, false]);
    assert.deepEqual(published, [shared.current]);
    assert.deepEqual(told, ['trusted', 'same', 'reloaded']);
    assert.equal(shared.reload(), false);
    assert.equal(published.length, 1);
  });

  test('of the text around the certificates is none', () => {
    const { shared, published, write } = open();
    write(`# a comment\n${one.pem}\n${one.pem}`);
    assert.deepEqual([shared.reload(), published.length], [false, 0]);
  });

  test('of the allow rules ends all sessions, and back again does not revive them', () => {
    const { shared, published } = open();
    const before = shared.current;
    shared.setRules('["x"]');
    assert.deepEqual(sharesSessions(before, shared.current), [false, false]);
    shared.setRules('[]');
    assert.deepEqual(sharesSessions(before, shared.current), [false, true]);
    assert.equal(published.length, 2);
  });

  test('of the ticket keys alone changes nothing else', () => {
    const { shared, published } = open();
    const before = shared.current;
    shared.rotateTicketKeys();
    assert.deepEqual(sharesSessions(before, shared.current), [false, true]);
    assert.deepEqual({ ...shared.current, ticketKeys: 0 }, { ...before, ticketKeys: 0 });
    assert.deepEqual(published, [shared.current]);
  });

  test('that cannot be put into force leaves all as it was, is told once, and is tried again', () => {
    const { shared, told, write } = open();
    const before = shared.current;
    let fails = true;
    shared.publishTo(() => {
      if (fails) throw new BundleError('rejected', 'no');
    });
    write(two.pem);
    assert.deepEqual([shared.reload(), shared.reload()], [false, false]);
    assert.equal(shared.current, before);
    assert.deepEqual(told, ['trusted', 'differs', 'rejected', 'differs']);
    fails = false;
    assert.equal(shared.reload(), true);
    assert.equal(shared.current.trust?.ca, two.pem);
  });

  test('to a file that is gone, or back to the one in force, leaves all as it was, and is told', () => {
    const { shared, told, published, write } = open();
    write('');
    assert.equal(shared.reload(), false);
    write(one.pem);
    assert.equal(shared.reload(), false);
    assert.deepEqual([told, published], [['trusted', 'differs', 'empty', 'same', 'restored'], []]);
    const { differs, lastReload } = shared.clientCa ?? {};
    assert.deepEqual([differs, lastReload?.result, lastReload?.reason], [false, 'success', 'restored']);
  });
});
