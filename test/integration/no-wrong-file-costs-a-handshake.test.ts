// Every way in which the files of a pair can be wrong or half-written, with the reason for each, in one go: clients come all
// the while, and each of them is served, with a pair that was whole.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdir, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createAuthority, type Issued } from '../../certs/authority.ts';
import { readMetrics } from '../support/admin.ts';
import { startApp } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import type { LogLine } from '../support/log-lines.ts';
import { eventually } from '../support/poll.ts';
import { connect } from '../support/raw-client.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { type Stage, setStage } from '../support/stage.ts';

const dayMs = 86_400_000;
/** Between two visitors, so that they do not take the machine. */
const PACE_MS = 10;
const half = (text: string): string => text.slice(0, text.length / 2);
const spoiled = (pem: string): string => pem.replace(/(-----\n)[\s\S]+(\n-----END)/, '$1AAAA$2');

const other = await createAuthority({ commonName: 'Other CA' });
const stranger = await other.issue({ dns: ['stranger.example'] });
const weak = await other.issue({ keyType: 'rsa1024', dns: ['localhost'] });
const rsa = await other.issue({ keyType: 'rsa', dns: ['localhost'] });
const middle = await other.intermediate({ commonName: 'Middle' });
const below = await middle.issue({ dns: ['localhost'] });
const expired = await other.issue({ dns: ['localhost'], notAfter: new Date(Date.now() - dayMs) });
const early = await other.issue({ dns: ['localhost'], notBefore: new Date(Date.now() + dayMs) });
const client = await other.issue({ dns: ['localhost'], usage: 'client' });

const encrypted = (key: string, type: 'pkcs8' | 'sec1'): string =>
  createPrivateKey(key)
    .export({ type, format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' } as never)
    .toString();
const derCertificate = new X509Certificate(stranger.cert).raw;
const derKey = createPrivateKey(stranger.key).export({ type: 'pkcs8', format: 'der' });
const publicKey = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString();

type Files = Record<string, string | Buffer>;
type Row = { what: string; reason: string; files(next: Issued, stage: Stage): Files };

const pair = (cert: string | Buffer, key: string | Buffer): Files => ({ 'tls.crt': cert, 'tls.key': key });

/** The content of a Secret, and the `reason` that it is refused for. */
const wrong: Row[] = [
  { what: 'nothing', reason: 'missing', files: () => ({}) },
  { what: 'no key', reason: 'missing', files: ({ chain }) => ({ 'tls.crt': chain }) },
  { what: 'no certificate', reason: 'missing', files: ({ key }) => ({ 'tls.key': key }) },
  { what: 'other names', reason: 'missing', files: ({ chain, key }) => ({ 'cert.pem': chain, 'key.pem': key }) },
  { what: 'two empty files', reason: 'empty', files: () => pair('', '') },
  { what: 'an empty certificate', reason: 'empty', files: ({ key }) => pair('', key) },
  { what: 'an empty key', reason: 'empty', files: ({ chain }) => pair(chain, '') },
  { what: 'line ends only', reason: 'no_certificate', files: ({ key }) => pair('\r\n\r\n', key) },
  { what: 'a page of HTML', reason: 'no_certificate', files: ({ key }) => pair('<html>404</html>', key) },
  {
    what: 'base64 of base64',
    reason: 'no_certificate',
    files: ({ chain, key }) => pair(Buffer.from(chain).toString('base64'), key),
  },
  { what: 'the certificate in DER', reason: 'no_certificate', files: () => pair(derCertificate, stranger.key) },
  {
    what: 'the certificate in UTF-16',
    reason: 'no_certificate',
    files: ({ chain, key }) => pair(Buffer.from(`\uFEFF${chain}`, 'utf16le'), key),
  },
  {
    what: 'a request in its place',
    reason: 'no_certificate',
    files: ({ chain, key }) => pair(chain.replaceAll('CERTIFICATE', 'CERTIFICATE REQUEST'), key),
  },
  { what: 'the files swapped', reason: 'no_certificate', files: ({ chain, key }) => pair(key, chain) },
  { what: 'half a certificate', reason: 'malformed_certificate', files: ({ cert, key }) => pair(half(cert), key) },
  {
    what: 'a certificate without its last line',
    reason: 'malformed_certificate',
    files: ({ cert, key }) => pair(cert.replace(/-----END.*\n/, ''), key),
  },
  {
    what: 'armour around nonsense',
    reason: 'malformed_certificate',
    files: ({ cert, key }) => pair(spoiled(cert), key),
  },
  {
    what: 'a chain that is cut off',
    reason: 'malformed_certificate',
    files: () => pair(below.chain.slice(0, -60), below.key),
  },
  {
    what: 'nonsense behind the leaf',
    reason: 'malformed_certificate',
    files: ({ cert, key }) => pair(cert + spoiled(cert), key),
  },
  { what: 'half a key', reason: 'malformed_key', files: ({ chain, key }) => pair(chain, half(key)) },
  { what: 'the certificate as the key', reason: 'no_key', files: ({ chain }) => pair(chain, chain) },
  { what: 'a public key', reason: 'no_key', files: ({ chain }) => pair(chain, publicKey) },
  { what: 'the key in DER', reason: 'no_key', files: () => pair(stranger.chain, derKey) },
  {
    what: 'a bundle whose key is cut off',
    reason: 'malformed_key',
    files: ({ chain, key }) => pair(chain + half(key), key),
  },
  { what: 'a key of nonsense', reason: 'malformed_key', files: ({ chain, key }) => pair(chain, spoiled(key)) },
  {
    what: 'a key under a wrong title',
    reason: 'malformed_key',
    files: ({ chain, key }) => pair(chain, key.replaceAll('PRIVATE', 'RSA PRIVATE')),
  },
  {
    what: 'an encrypted key',
    reason: 'encrypted_key',
    files: ({ chain, key }) => pair(chain, encrypted(key, 'pkcs8')),
  },
  {
    what: 'an encrypted key of the old kind',
    reason: 'encrypted_key',
    files: ({ chain, key }) => pair(chain, encrypted(key, 'sec1')),
  },
  {
    what: 'the new certificate with the old key',
    reason: 'key_mismatch',
    files: ({ chain }, stage) => pair(chain, stage.pair.key),
  },
  { what: 'a key of another kind', reason: 'key_mismatch', files: ({ chain }) => pair(chain, rsa.key) },
  { what: 'the authority alone', reason: 'key_mismatch', files: ({ key }, stage) => pair(stage.authority.pem, key) },
  {
    what: 'a bundle with the key of another',
    reason: 'key_mismatch',
    files: ({ chain, key }) => pair(chain + stranger.key, key),
  },
  { what: 'an RSA key of 1024 bits', reason: 'weak_key', files: () => pair(weak.chain, weak.key) },
  { what: 'a pair that has expired', reason: 'expired', files: () => pair(expired.chain, expired.key) },
  { what: 'a pair that is not valid yet', reason: 'not_yet_valid', files: () => pair(early.chain, early.key) },
  { what: 'more than 1 MiB', reason: 'unreadable', files: ({ chain, key }) => pair(chain + ' '.repeat(1 << 20), key) },
];

type Spoil = { what: string; reason: string; spoil(real: string): Promise<unknown> };

/** What no Secret can hold: done to the directory behind it. */
const spoils: Spoil[] = [
  { what: 'a key that is gone', reason: 'missing', spoil: (real) => rm(join(real, 'tls.key')) },
  { what: 'a link to nothing', reason: 'missing', spoil: (real) => relink(join(real, 'tls.key'), 'nowhere') },
  { what: 'a link to itself', reason: 'unreadable', spoil: (real) => relink(join(real, 'tls.key'), 'tls.key') },
  { what: 'a device', reason: 'unreadable', spoil: (real) => relink(join(real, 'tls.crt'), '/dev/null') },
  { what: 'a pipe that nobody writes to', reason: 'unreadable', spoil: (real) => pipe(join(real, 'tls.crt')) },
  { what: 'a directory', reason: 'unreadable', spoil: (real) => directory(join(real, 'tls.key')) },
  { what: 'truncated in place', reason: 'empty', spoil: (real) => truncate(join(real, 'tls.crt')) },
  {
    what: 'half written in place',
    reason: 'malformed_certificate',
    spoil: (real) => truncate(join(real, 'tls.crt'), 300),
  },
  { what: 'overwritten in place', reason: 'no_certificate', spoil: (real) => writeFile(join(real, 'tls.crt'), 'x') },
];

async function relink(path: string, target: string): Promise<void> {
  await rm(path);
  await symlink(target, path);
}

async function pipe(path: string): Promise<void> {
  await rm(path);
  execFileSync('mkfifo', [path]);
}

async function directory(path: string): Promise<void> {
  await rm(path);
  await mkdir(path);
}

/** What is taken though it could look better, and what is said of it (`''`: nothing). */
const taken: Row[] = [
  {
    what: 'CRLF line ends',
    reason: '',
    files: ({ chain, key }) => pair(chain.replaceAll('\n', '\r\n'), key.replaceAll('\n', '\r\n')),
  },
  { what: 'a byte order mark', reason: '', files: ({ chain, key }) => pair(`\uFEFF${chain}`, `\uFEFF${key}`) },
  { what: 'no line end at the end', reason: '', files: ({ chain, key }) => pair(chain.trimEnd(), key.trimEnd()) },
  {
    what: 'words around the blocks',
    reason: '',
    files: ({ chain, key }) => pair(`subject=x\n${chain}\n# end`, `\n${key}`),
  },
  {
    what: 'a bundle, the key first, beside another key',
    reason: '',
    files: ({ chain, key }) => pair(key + chain, stranger.key),
  },
  { what: 'the chain upside down', reason: 'chain_mended', files: () => pair(middle.pem + below.cert, below.key) },
  {
    what: 'a stranger in the chain',
    reason: 'chain_strays',
    files: ({ chain, key }) => pair(chain + stranger.cert, key),
  },
  { what: 'a certificate for clients', reason: 'not_for_servers', files: () => pair(client.chain, client.key) },
];

type Visitors = { readonly seen: Set<string>; count: number; stop(): Promise<void> };

/** Clients that come one after the other; the first that is not served ends the test. */
function visit(sidecar: Sidecar): Visitors {
  let over = false;
  const seen = new Set<string>();
  const visitors = { seen, count: 0, stop: async () => {} };
  const coming = (async () => {
    while (!over) {
      const visitor = await connect({ port: sidecar.port });
      seen.add(visitor.socket.getPeerCertificate().serialNumber);
      visitor.send('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
      assert.equal((await visitor.readResponse()).status, 200);
      await visitor.closed;
      visitors.count += 1;
      await delay(PACE_MS);
    }
  })();
  visitors.stop = async () => {
    over = true;
    await coming;
  };
  coming.catch(() => {});
  return visitors;
}

test(`${wrong.length + spoils.length} wrong files are refused, ${taken.length} odd ones taken, and nobody is turned away`, async (t) => {
  const stage = await setStage(t);
  const app = await startApp(t, (_, response) => response.end('the app'));
  const sidecar = await stage.start({ upstream: app.port, args: ['--access-log', 'errors'] });
  const visitors = visit(sidecar);
  const whole = new Set([stage.pair.serial, below.serial, client.serial]);
  const name = stage.volume.path('tls.crt');
  const differs = async (): Promise<number> => (await readMetrics(sidecar)).sum('certificate_disk_differs', { name });
  let from = 0;
  const line = async (matches: (line: LogLine) => boolean): Promise<LogLine> => {
    const found = await sidecar.waitForLog((one) => sidecar.logs.indexOf(one) >= from && matches(one));
    from = sidecar.logs.indexOf(found) + 1;
    return found;
  };
  /** Told between the two steps in which a file is written in place. */
  let between = 0;
  const refused = async (what: string, reason: string, inPlace = false): Promise<void> => {
    const next = (): Promise<LogLine> => line(({ msg }) => /^certificate not reloaded/.test(String(msg)));
    let told = await next();
    if (inPlace && told.reason === 'empty' && reason !== 'empty') {
      between++;
      told = await next();
    }
    assert.equal(told.reason, reason, `${what}: ${told.detail}`);
    assert.match(String(told.detail), /tls\.(?:crt|key)/);
    assert.equal(await differs(), 1, what);
  };
  const mend = async (): Promise<void> => {
    const next = await stage.issue();
    whole.add(next.serial);
    await stage.volume.write(stage.files(next));
    await line(({ msg, serial }) => msg === 'certificate reloaded' && serial === next.serial.toLowerCase());
    assert.equal(await differs(), 0);
  };

  for (const { what, reason, files } of wrong) {
    await stage.volume.write(files(await stage.issue(), stage));
    await refused(what, reason);
    await mend();
  }
  for (const { what, reason, spoil } of spoils) {
    await spoil(stage.volume.path('..data'));
    sidecar.kill('SIGHUP');
    await refused(what, reason, true);
    // The volume would read it, to see whether there is anything to write.
    for (const file of ['tls.crt', 'tls.key'])
      await rm(join(stage.volume.path('..data'), file), { recursive: true, force: true });
    await mend();
  }
  for (const { what, reason, files } of taken) {
    const next = await stage.issue();
    whole.add(next.serial);
    await stage.volume.write(files(next, stage));
    await line(({ msg }) => msg === 'certificate reloaded');
    if (reason !== '')
      assert.equal((await line(({ msg }) => /needs attention/.test(String(msg)))).reason, reason, what);
    assert.equal(await differs(), 0, what);
  }

  const come = visitors.count;
  await eventually(() => visitors.count > come, { what: 'a visitor after all of it' });
  await visitors.stop();
  assert.deepEqual(
    [...visitors.seen].filter((serial) => !whole.has(serial)),
    [],
  );
  const metrics = await readMetrics(sidecar);
  assert.equal(metrics.sum('handshake_failures_total'), 0);
  // Between a spoiled file and its mend there is none for a moment, which may be seen and told as well.
  const told = sidecar.logs.filter(({ msg }) => /^certificate not reloaded/.test(String(msg)));
  assert.equal(metrics.sum('certificate_reloads_total', { result: 'failed' }), told.length);
  const more = told.length - wrong.length - spoils.length - between;
  assert.ok(more >= 0 && more <= told.filter(({ reason }) => reason === 'missing').length, `${more} more`);
  t.diagnostic(`${visitors.count} clients, ${visitors.seen.size} certificates seen`);
  await endsWell(sidecar);
});
