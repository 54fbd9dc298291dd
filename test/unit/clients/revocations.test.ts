// What is read of revocation lists made by OpenSSL, and what is none.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isRevoked, namesOf, readRevocations } from '../../../src/clients/revocations.ts';
import { BundleError } from '../../../src/identity/bundle-error.ts';
import { isExpired } from '../../../src/identity/dates.ts';
import { needs } from '../../support/needs.ts';
import { makeAuthority } from '../../support/openssl.ts';

const dir = mkdtempSync(join(tmpdir(), 'revocations-'));
after(() => rmSync(dir, { recursive: true }));
const file = join(dir, 'all.crl');

test('several lists: issuers, dates, who is named, and by whom', async (t) => {
  if (!needs(t, 'openssl')) return;
  const [one, two] = [await makeAuthority(join(dir, 'one'), 'one'), await makeAuthority(join(dir, 'two'), 'two')];
  const [good, bad] = [await one.issue('good'), await one.issue('bad')];
  const read = (path: string): X509Certificate => new X509Certificate(readFileSync(path));
  writeFileSync(file, `text\n${await one.revocationList([bad])}\n${await two.revocationList([], -1)}`);
  const found = readRevocations(file, undefined);
  assert.deepEqual(
    found.lists.map(({ issuer, revoked }) => [issuer, revoked]),
    [
      [namesOf(read(one.cert)).subject, 1],
      [namesOf(read(two.cert)).subject, 0],
    ],
  );
  const now = new Date();
  assert.deepEqual(
    found.lists.map((list) => [isExpired(list, now), list.thisUpdate < now]),
    [
      [false, true],
      [true, true],
    ],
  );
  assert.deepEqual([isRevoked(found, read(bad.cert)), isRevoked(found, read(good.cert))], [true, false]);
  assert.equal(readRevocations(file, found), found, 'what has not changed is not read again');
});

for (const [what, text, reason] of [
  ['nothing', '', 'empty'],
  ['no list', 'text', 'malformed_crl'],
  ['a list that is cut off', '-----BEGIN X509 CRL-----\nMIIB', 'malformed_crl'],
  ['no list within its marks', '-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n', 'malformed_crl'],
] as const)
  test(`${what}: ${reason}`, () => {
    writeFileSync(file, text);
    assert.throws(
      () => readRevocations(file, undefined),
      (error) => error instanceof BundleError && error.reason === reason,
    );
  });
