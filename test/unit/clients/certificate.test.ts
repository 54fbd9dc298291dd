// A client certificate to who the client is: every name as it is, none that could be read as another one, and OpenSSL's
// verifyError and the dates before all.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, test } from 'node:test';
import { createAuthority, type IssueOptions } from '../../../certs/authority.ts';
import { factsOf, identify, reasonOf, subjectOf } from '../../../src/clients/certificate.ts';

const authority = await createAuthority();

async function certificate(options: IssueOptions): Promise<X509Certificate> {
  return new X509Certificate((await authority.issue({ usage: 'client', ...options })).cert);
}

const NOW = new Date();
const DAY_MS = 86_400_000;
const web = await certificate({ commonName: 'web', dns: ['a.example'], uri: ['spiffe://td/a'] });

describe('a certificate', () => {
  test('is what the certificate says', async () => {
    const found = factsOf(
      await certificate({
        commonName: 'web',
        organizationalUnit: 'front',
        dns: ['a.example', 'b.example'],
        uri: ['spiffe://td/a', 'spiffe://td/b'],
      }),
    );
    assert.deepEqual(
      { ...found, sha256: '' },
      {
        name: 'spiffe://td/a',
        subject: 'CN=web,OU=front',
        sha256: '',
        commonNames: ['web'],
        units: ['front'],
        dns: ['a.example', 'b.example'],
        uris: ['spiffe://td/a', 'spiffe://td/b'],
      },
    );
    assert.match(found.sha256, /^[0-9a-f]{64}$/);
  });

  test('is called by its subject where it has no URI', async () => {
    assert.equal(factsOf(await certificate({ commonName: 'web', dns: ['a.example'] })).name, 'CN=web');
  });

  const treacherous = ['a.example, DNS:b.example', 'a"b', 'a\\b', 'a\0b', 'a\nb', 'a,b', 'DNS:b.example", DNS:"c'];
  for (const value of treacherous) {
    test(`has no name ${JSON.stringify(value)}: not as DNS, URI, common name or unit`, async () => {
      const { commonNames, units, dns, uris, subject } = factsOf(
        await certificate({ commonName: value, organizationalUnit: value, dns: ['ok.example', value], uri: [value] }),
      );
      assert.deepEqual([commonNames, units, dns, uris], [[], [], ['ok.example'], []]);
      assert.match(subject, /^[\x20-\x7e]*$/);
    });
  }

  test('may have letters of all the world in its subject, which is written in ASCII', async () => {
    const found = factsOf(await certificate({ commonName: 'Jürg 🔒' }));
    assert.deepEqual(found.commonNames, ['Jürg 🔒']);
    assert.equal(found.subject, 'CN=J\\C3\\BCrg \\F0\\9F\\94\\92');
  });

  for (const value of ['a"b', 'a\\', 'a\\"', '"', 'a;URI=spiffe://td/x', 'x+CN=y', ' a ', '#a', 'a=b,c']) {
    test(`has a subject that cannot leave its quotes: ${JSON.stringify(value)}`, async () => {
      const subject = subjectOf(await certificate({ commonName: value }));
      // What a reader of quoted text takes: pairs of backslash and anything, or what is no quote.
      assert.match(`"${subject}"`, /^"(?:[^"\\]|\\.)*"$/);
    });
  }
});

describe('the identity of a client', () => {
  test('is verified with a good chain within its dates', () => {
    const found = identify({ certificate: web, verifyError: '' }, NOW);
    assert.deepEqual(found, { kind: 'verified', certificate: factsOf(web) });
  });

  test('is none without a certificate, whatever Node says of the session', () => {
    for (const verifyError of ['', 'UNABLE_TO_GET_ISSUER_CERT'])
      assert.deepEqual(identify({ certificate: undefined, verifyError }, NOW), { kind: 'none' });
  });

  test('is refused for a verifyError of OpenSSL', () => {
    const found = identify({ certificate: web, verifyError: 'CERT_HAS_EXPIRED' }, NOW);
    assert.deepEqual(found, { kind: 'refused', reason: 'client_certificate_expired' });
  });

  test('is refused outside the dates, though a session says that it was good', () => {
    const [past, future] = [new Date(NOW.getTime() - 400 * DAY_MS), new Date(NOW.getTime() + 400 * DAY_MS)];
    const presented = { certificate: web, verifyError: '' };
    assert.deepEqual(identify(presented, future), { kind: 'refused', reason: 'client_certificate_expired' });
    assert.deepEqual(identify(presented, past), { kind: 'refused', reason: 'client_certificate_not_yet_valid' });
    assert.equal(identify(presented, new Date(web.validTo)).kind, 'refused');
  });

  for (const verifyError of ['UNSPECIFIED', 'something new', 'constructor', '__proto__'])
    test(`is refused for a verifyError that nobody knows: ${verifyError}`, () =>
      assert.equal(reasonOf(verifyError), 'client_certificate_invalid'));
});
