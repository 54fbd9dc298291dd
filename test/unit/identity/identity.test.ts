// The identity that is served, and its failure contract: whole or not at all, the old pair stays, told once, tried again.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, symlinkSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { createSecureContext } from 'node:tls';
import { createAuthority, type Issued } from '../../../certs/authority.ts';
import { ConfigError } from '../../../src/errors.ts';
import type { BundleReason } from '../../../src/identity/bundle-error.ts';
import { type Identity, openIdentity } from '../../../src/identity/identity.ts';
import type { Served } from '../../../src/identity/pair.ts';
import type { SharedTls } from '../../../src/identity/tls-options.ts';
import { createSecretVolume, type SecretVolume } from '../../support/secret-volume.ts';

const DAY_MS = 86_400_000;
const NOW = Date.now();
const authority = await createAuthority();
const issue = (days: { from?: number; to?: number } = {}): Promise<Issued> =>
  authority.issue({
    dns: ['a.example'],
    ...(days.from === undefined ? {} : { notBefore: new Date(NOW + days.from * DAY_MS) }),
    ...(days.to === undefined ? {} : { notAfter: new Date(NOW + days.to * DAY_MS) }),
  });
const [a, b, c] = [await issue(), await issue(), await issue()];
const expired = await issue({ to: -1 });
const expiredToo = await issue({ to: -2 });
const early = await issue({ from: 1 });
const weak = await authority.issue({ keyType: 'rsa1024', dns: ['weak.example'] });

const shared: SharedTls = { ticketKeys: randomBytes(48), sessionIdContext: 'test', minVersion: 'TLSv1.2' };
const root = mkdtempSync(join(tmpdir(), 'identity-'));
after(() => rmSync(root, { recursive: true }));
let volumes = 0;

type Told = {
  opened: Served[];
  reloaded: [string, string][];
  refused: [BundleReason, string][];
  differs: boolean[];
  restored: number;
  aged: number;
  /** Days that were left. */
  nearsEnd: number[];
};
type Opened = { identity: Watched; told: Told; volume: SecretVolume; at: (day: number) => void };

/** What is served of the only pair. */
type Watched = Identity & { readonly current: Served };

const files = (cert: string, key: string) => ({ 'tls.crt': cert, 'tls.key': key });
const filesOf = ({ chain, key }: Issued) => files(chain, key);
const serial = (of: Issued): string => of.serial.toLowerCase();

async function newVolume(content?: Record<string, string>): Promise<SecretVolume> {
  const volume = await createSecretVolume(join(root, String(++volumes)));
  if (content !== undefined) await volume.write(content);
  return volume;
}

async function open(content: Record<string, string>): Promise<Opened> {
  const volume = await newVolume(content);
  const told: Told = { opened: [], reloaded: [], refused: [], differs: [], restored: 0, aged: 0, nearsEnd: [] };
  let nowMs = NOW;
  const identity = openIdentity({
    pairs: [{ cert: volume.path('tls.crt'), key: volume.path('tls.key') }],
    wait: false,
    shared,
    now: () => new Date(nowMs),
    observer: {
      waiting: () => assert.fail('it does not wait'),
      opened: (served) => void told.opened.push(served),
      reloaded: (served, previous) => void told.reloaded.push([served.bundle.serial, previous.bundle.serial]),
      refused: (_name, reason, message) => void told.refused.push([reason, message]),
      differs: (_name, differs) => void told.differs.push(differs),
      restored: () => void told.restored++,
      aged: () => void told.aged++,
      nearsEnd: (_served, leftMs) => void told.nearsEnd.push(Math.round((leftMs / DAY_MS) * 10) / 10),
    },
  });
  const at = (day: number): void => {
    nowMs = NOW + day * DAY_MS;
  };
  return { identity: watched(identity), told, volume, at };
}

function watched(identity: Identity): Watched {
  return Object.defineProperty(identity, 'current', { get: () => identity.pairs[0]?.served }) as Watched;
}

describe('the first pair', () => {
  test('is served, and can be', async () => {
    const { identity, told, volume } = await open(filesOf(a));
    assert.equal(identity.current.bundle.serial, serial(a));
    assert.deepEqual([told.opened, told.reloaded, told.refused], [[identity.current], [], []]);
    assert.ok(identity.current.source.startsWith(join(volume.dir, '..')));
    assert.doesNotThrow(() => createSecureContext(identity.current.tls));
  });

  for (const [what, pair] of [
    ['expired', expired],
    ['not valid yet', early],
  ] as const) {
    test(`is served though it is ${what}: it is all there is`, async () => {
      const { identity, told } = await open(filesOf(pair));
      assert.equal(identity.current.bundle.serial, serial(pair));
      assert.deepEqual(told.refused, []);
    });
  }

  const wrong: readonly (readonly [what: string, content: Record<string, string>, says: RegExp])[] = [
    ['is missing', {}, /tls\.crt does not exist; see --cert and --key$/],
    ['has no key', { 'tls.crt': a.chain }, /tls\.key does not exist; see --cert and --key$/],
    ['has no certificate', { 'tls.key': a.key }, /tls\.crt does not exist; see --cert and --key$/],
    ['is empty', files('', ''), /tls\.crt is empty$/],
    ['is of two pairs', files(a.chain, b.key), /does not belong/],
    ['is cut off', files(a.chain.slice(0, 200), a.key), /is cut off: a certificate has no end line$/],
    ['is no PEM', files('x', 'y'), /holds no PEM certificate/],
  ];
  for (const [what, content, says] of wrong) {
    test(`that ${what} is a ConfigError of one line`, async () => {
      await assert.rejects(open(content), (error) => {
        assert.ok(error instanceof ConfigError && error.problems.length === 1, String(error));
        assert.match(error.problems[0] ?? '', says);
        assert.doesNotMatch(error.message, /\n/);
        return true;
      });
    });
  }
});

describe('a changed pair', () => {
  test('that was refused, and is what is served again, is told once', async () => {
    const { identity, told, volume } = await open(filesOf(a));
    for (const wrong of [{ 'tls.crt': 'x', 'tls.key': 'x' }, files(b.chain, a.key)]) {
      await volume.write(wrong);
      identity.reload();
    }
    assert.deepEqual([told.refused.length, told.restored, identity.pairs[0]?.lastReload?.result], [2, 0, 'failed']);
    await volume.write(filesOf(a));
    for (let look = 0; look < 3; look++) assert.equal(identity.reload(), false);
    const { result, reason } = identity.pairs[0]?.lastReload ?? {};
    assert.deepEqual([told.restored, result, reason, told.differs.at(-1)], [1, 'success', 'restored', false]);
  });

  test('is taken, told with the one before it, and given to who listens', async () => {
    const { identity, told, volume } = await open(filesOf(a));
    const heard: string[] = [];
    const unsubscribe = identity.onChange(({ fallback }) => void heard.push(String(fallback.cert)));
    await volume.write(filesOf(b));
    assert.equal(identity.reload(), true);
    assert.equal(identity.current.bundle.serial, serial(b));
    unsubscribe();
    await volume.write(filesOf(c));
    assert.equal(identity.reload(), true);
    assert.deepEqual(heard, [b.chain]);
    assert.deepEqual(told.reloaded, [
      [serial(b), serial(a)],
      [serial(c), serial(b)],
    ]);
    assert.deepEqual([told.refused, told.differs.at(-1)], [[], false]);
  });

  test('that is the same is not taken again, even from a new directory', async () => {
    const { identity, told, volume } = await open(filesOf(a));
    const { current } = identity;
    await volume.write({ ...filesOf(a), 'ca.crt': 'x' });
    assert.equal(identity.reload(), false);
    assert.equal(identity.reload(), false);
    assert.equal(identity.current, current);
    assert.deepEqual([told.reloaded, told.refused], [[], []]);
    assert.ok(!told.differs.includes(true));
  });

  test('with a longer chain for the same leaf is taken', async () => {
    const { identity, volume } = await open(filesOf(a));
    await volume.write(files(a.chain + authority.pem, a.key));
    assert.equal(identity.reload(), true);
    assert.equal(identity.current.bundle.chainLength, 2);
  });

  test('keeps the ticket keys and all other settings, so that sessions are resumed over it', async () => {
    const { identity, volume } = await open(filesOf(a));
    const before = identity.current.tls;
    await volume.write(filesOf(b));
    identity.reload();
    const { cert, key, ...rest } = identity.current.tls;
    const { cert: oldCert, key: oldKey, ...oldRest } = before;
    assert.deepEqual(rest, oldRest);
    assert.ok(cert !== oldCert && key !== oldKey);
    assert.equal((rest.ticketKeys as Buffer).length, 48);
  });

  test('from plain files is taken only when both have been written', async () => {
    const dir = join(root, 'plain');
    await mkdir(dir);
    const paths = { cert: join(dir, 'c.pem'), key: join(dir, 'k.pem') };
    writeFileSync(paths.cert, a.chain);
    writeFileSync(paths.key, a.key);
    const refused: BundleReason[] = [];
    const observer = {
      waiting() {},
      opened() {},
      reloaded() {},
      refused: (_name: string, reason: BundleReason) => void refused.push(reason),
      differs() {},
      restored: () => assert.fail(),
      aged: () => assert.fail(),
      nearsEnd: () => assert.fail(),
    };
    const now = (): Date => new Date(NOW);
    const identity = watched(openIdentity({ pairs: [paths], wait: false, shared, now, observer }));
    // As cp does: emptied, written in parts, one file after the other.
    const steps: readonly (readonly [path: string, content: string])[] = [
      [paths.cert, ''],
      [paths.cert, b.chain.slice(0, 100)],
      [paths.cert, b.chain],
      [paths.key, ''],
      [paths.key, b.key.slice(0, 50)],
    ];
    for (const [path, content] of steps) {
      writeFileSync(path, content);
      assert.equal(identity.reload(), false);
      assert.equal(identity.current.bundle.serial, serial(a));
    }
    writeFileSync(paths.key, b.key);
    assert.equal(identity.reload(), true);
    assert.equal(identity.current.bundle.serial, serial(b));
    assert.deepEqual(refused, ['empty', 'malformed_certificate', 'key_mismatch', 'empty', 'malformed_key']);
  });
});

type Spoil = (volume: SecretVolume) => Promise<unknown>;
const writing =
  (content: Record<string, string>): Spoil =>
  (volume) =>
    volume.write(content);
const half = (text: string): string => text.slice(0, text.length / 2);
/** Behind the kubelet's back: a plain file, or a link, in place of the volume's link. */
function replacing(name: string, how: (path: string) => void): Spoil {
  return async (volume) => {
    unlinkSync(volume.path(name));
    how(volume.path(name));
    // Such files are read where the volume's own are: in the directory that ..data names.
    const real = join(volume.dir, '..data', name);
    unlinkSync(real);
    how(real);
  };
}

describe('a pair that is wrong', () => {
  const rows: readonly (readonly [what: string, spoil: Spoil, reason: BundleReason])[] = [
    ['both files gone', writing({}), 'missing'],
    ['the key gone', writing({ 'tls.crt': b.chain }), 'missing'],
    ['the certificate gone', writing({ 'tls.key': b.key }), 'missing'],
    ['other names', writing({ cert: b.chain, key: b.key }), 'missing'],
    ['the volume gone', async (volume) => rmSync(volume.dir, { recursive: true }), 'missing'],
    ['..data gone', async (volume) => unlinkSync(join(volume.dir, '..data')), 'missing'],
    ['a link to nothing', replacing('tls.key', (path) => symlinkSync('nowhere', path)), 'missing'],
    ['a link to itself', replacing('tls.key', (path) => symlinkSync('tls.key', path)), 'unreadable'],
    ['a device', replacing('tls.crt', (path) => symlinkSync('/dev/zero', path)), 'unreadable'],
    ['a directory', replacing('tls.crt', (path) => symlinkSync('/', path)), 'unreadable'],
    [
      'a file without end',
      replacing('tls.crt', (path) => {
        writeFileSync(path, '');
        truncateSync(path, 1 << 30);
      }),
      'unreadable',
    ],
    ['two empty files', writing(files('', '')), 'empty'],
    ['an empty certificate', writing(files('', b.key)), 'empty'],
    ['an empty key', writing(files(b.chain, '')), 'empty'],
    ['the new certificate with the old key', writing(files(b.chain, a.key)), 'key_mismatch'],
    ['the old certificate with the new key', writing(files(a.chain, b.key)), 'key_mismatch'],
    ['the authority alone', writing(files(authority.pem, b.key)), 'key_mismatch'],
    ['half a certificate', writing(files(half(b.cert), b.key)), 'malformed_certificate'],
    ['a chain that ends too early', writing(files(b.chain + half(authority.pem), b.key)), 'malformed_certificate'],
    [
      'a changed byte in the certificate',
      writing(files(b.cert.replace(/\nMII/, '\nAII'), b.key)),
      'malformed_certificate',
    ],
    ['no certificate in the file', writing(files('hello', b.key)), 'no_certificate'],
    ['the two files swapped', writing(files(b.key, b.chain)), 'no_certificate'],
    ['half a key', writing(files(b.chain, half(b.key))), 'malformed_key'],
    ['no key in the file', writing(files(b.chain, 'hello')), 'no_key'],
    ['the certificate twice', writing(files(b.chain, b.chain)), 'no_key'],
    ['a changed byte in the key', writing(files(b.chain, b.key.replace(/\nM/, '\nA'))), 'malformed_key'],
    ['an encrypted key', writing(files(b.chain, b.key.replaceAll(' PRIVATE', ' ENCRYPTED PRIVATE'))), 'encrypted_key'],
    ['an expired pair', writing(filesOf(expired)), 'expired'],
    ['a pair that is not valid yet', writing(filesOf(early)), 'not_yet_valid'],
  ];
  for (const [what, spoil, reason] of rows) {
    test(`never replaces the old one, is told once as ${reason}, and is tried again: ${what}`, async () => {
      const { identity, told, volume } = await open(filesOf(a));
      const { current } = identity;
      const heard: unknown[] = [];
      identity.onChange((tls) => void heard.push(tls));
      await spoil(volume);
      for (let look = 0; look < 3; look++) assert.equal(identity.reload(), false);
      assert.equal(identity.current, current);
      assert.deepEqual([told.refused.map(([reason]) => reason), told.reloaded, heard], [[reason], [], []]);
      assert.equal(told.differs.at(-1), true);

      rmSync(volume.dir, { recursive: true, force: true });
      await (await createSecretVolume(volume.dir)).write(filesOf(c));
      assert.equal(identity.reload(), true);
      assert.deepEqual([identity.current.bundle.serial, told.differs.at(-1)], [serial(c), false]);
    });
  }

  test('of a weak key never replaces the old one, whatever OpenSSL takes', async () => {
    const { identity, told, volume } = await open(filesOf(a));
    await volume.write(filesOf(weak));
    assert.equal(identity.reload(), false);
    assert.deepEqual(
      told.refused.map(([reason]) => reason),
      ['weak_key'],
    );
    assert.equal(identity.current.bundle.serial, serial(a));
  });

  test('is told again for another reason, for another content, and after a good look', async () => {
    const { identity, told, volume } = await open(filesOf(a));
    const reasons = (): BundleReason[] => told.refused.map(([reason]) => reason);
    const look = async (content: Record<string, string>): Promise<void> => {
      await volume.write(content);
      identity.reload();
      identity.reload();
    };
    await look(files(b.chain, a.key));
    assert.deepEqual(reasons(), ['key_mismatch']);
    await look(files('', ''));
    assert.deepEqual(reasons(), ['key_mismatch', 'empty']);
    await look(filesOf(a));
    assert.deepEqual([reasons().length, told.differs.at(-1)], [2, false]);
    await look(files('', ''));
    assert.deepEqual(reasons(), ['key_mismatch', 'empty', 'empty']);
  });

  test('with another content and the same reason is told again', async () => {
    const { identity, told, volume } = await open(filesOf(a));
    for (const wrong of [files(b.chain, a.key), files(c.chain, a.key)]) {
      await volume.write(wrong);
      identity.reload();
      identity.reload();
    }
    assert.deepEqual(told.refused.length, 2);
  });

  test('and what goes back to what is served is not a reload', async () => {
    const { identity, told, volume } = await open(filesOf(a));
    await volume.write(files('', ''));
    identity.reload();
    await volume.write(filesOf(a));
    assert.equal(identity.reload(), false);
    assert.deepEqual([told.reloaded, told.differs], [[], [false, true, false]]);
  });

  test('leaves no secret in what is told', async () => {
    const { identity, told, volume } = await open(filesOf(a));
    for (const wrong of [files(b.chain, a.key), files(b.chain, half(b.key)), files(b.key, b.chain)]) {
      await volume.write(wrong);
      identity.reload();
    }
    const lines = [a, b].flatMap(({ key }) =>
      key.split('\n').filter((line) => line.length > 20 && !line.startsWith('-')),
    );
    for (const [, message] of told.refused) for (const line of lines) assert.ok(!message.includes(line));
  });
});

describe('the settings that all pairs share', () => {
  test('are changed for what is served and for what comes, without a look at the files', async () => {
    const { identity, told, volume } = await open(filesOf(a));
    const heard: unknown[] = [];
    identity.onChange(({ fallback }) => void heard.push(fallback.ticketKeys));
    const next = { ...shared, ticketKeys: Buffer.alloc(48, 1) };
    await volume.write(filesOf(b));
    identity.rebuild(next);
    assert.deepEqual([identity.current.bundle.serial, told.reloaded], [serial(a), []]);
    assert.equal(identity.tls.fallback.ticketKeys, next.ticketKeys);
    assert.equal(identity.reload(), true);
    assert.equal(identity.tls.fallback.ticketKeys, next.ticketKeys);
    assert.deepEqual(heard, [next.ticketKeys, next.ticketKeys]);
  });

  test('that do not fit are thrown, and nothing changes', async () => {
    const { identity } = await open(filesOf(a));
    const before = identity.tls;
    assert.throws(() => identity.rebuild({ ...shared, ticketKeys: Buffer.alloc(1) }), { reason: 'rejected' });
    assert.deepEqual(identity.tls, before);
  });
});

describe('waiting', () => {
  test('is told once for each reason, and ends with the first pair', async () => {
    const volume = await newVolume({});
    const told: unknown[] = [];
    const observer = {
      waiting: (_name: string, reason: BundleReason) => void told.push(reason),
      opened: (served: Served) => void told.push(served.bundle.serial),
      reloaded: () => assert.fail(),
      refused: () => assert.fail(),
      differs() {},
      restored: () => assert.fail(),
      aged: () => assert.fail(),
      nearsEnd: () => assert.fail(),
    };
    const pairs = [{ cert: volume.path('tls.crt'), key: volume.path('tls.key') }];
    const identity = openIdentity({ pairs, wait: true, shared, now: () => new Date(NOW), observer });
    const served = identity.whenServed(new AbortController().signal);
    const stopped = new AbortController();
    const late = identity.whenServed(stopped.signal);
    stopped.abort();
    assert.equal(await late, false);
    assert.equal(await identity.whenServed(AbortSignal.abort()), false);
    for (let look = 0; look < 3; look++) assert.equal(identity.catchUp(), false);
    await volume.write(files(a.chain, b.key));
    assert.equal(identity.catchUp(), false);
    await volume.write(filesOf(a));
    assert.equal(identity.catchUp(), true);
    assert.equal(await served, true);
    assert.deepEqual(told, ['missing', 'key_mismatch', serial(a)]);
  });
});

describe('dates', () => {
  test('an expired pair never replaces a valid one, but replaces one that has expired meanwhile', async () => {
    const { identity, told, volume, at } = await open(filesOf(a));
    await volume.write(filesOf(expired));
    assert.equal(identity.reload(), false);
    assert.equal(told.refused[0]?.[0], 'expired');
    assert.match(told.refused[0]?.[1] ?? '', /tls\.crt expired on \d{4}-\d\d-\d\dT/);
    at(91);
    assert.equal(identity.reload(), true);
    assert.equal(identity.current.bundle.serial, serial(expired));
  });

  test('an expired pair is replaced by a valid one, and by another expired one', async () => {
    const { identity, volume } = await open(filesOf(expired));
    await volume.write(filesOf(expiredToo));
    assert.equal(identity.reload(), true);
    await volume.write(filesOf(a));
    assert.equal(identity.reload(), true);
    assert.equal(identity.current.bundle.serial, serial(a));
  });

  test('a pair that is not valid yet is taken as soon as it is', async () => {
    const { identity, told, volume, at } = await open(filesOf(a));
    await volume.write(filesOf(early));
    assert.equal(identity.reload(), false);
    assert.match(told.refused[0]?.[1] ?? '', /tls\.crt is not valid before \d{4}-/);
    at(0.9);
    assert.equal(identity.reload(), false);
    at(1.1);
    assert.equal(identity.reload(), true);
    assert.deepEqual([identity.current.bundle.serial, told.refused.length], [serial(early), 1]);
  });

  test('that are left, or begin, while a pair is served are told once, and published', async () => {
    const { identity, told, at } = await open(filesOf(early));
    let published = 0;
    identity.onChange(() => void published++);
    for (const [day, times] of [
      [0, 0],
      [0.9, 0],
      [1.1, 1],
      [2, 1],
      [200, 2],
      [201, 2],
    ] as const) {
      at(day);
      assert.equal(identity.reload(), false);
      assert.deepEqual([told.aged, published], [times, times], `day ${day}`);
    }
  });

  test('that near their end are told once a step, and anew for the next pair', async () => {
    const near = await issue({ from: -60, to: 30.5 });
    const { identity, told, volume, at } = await open(filesOf(near));
    for (const day of [0, 0.2, 1, 2, 21, 22, 22.1, 23.6, 29.6]) {
      at(day);
      identity.reload();
    }
    assert.deepEqual(told.nearsEnd, [29.5, 8.5, 6.9, 0.9]);
    await volume.write(filesOf(await issue({ from: 0, to: 32 })));
    identity.reload();
    assert.equal(told.nearsEnd.length, 5);
    at(60);
    identity.reload();
    assert.deepEqual([told.nearsEnd.length, told.aged], [5, 1]);
  });
});
