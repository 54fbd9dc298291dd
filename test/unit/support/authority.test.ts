import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { type CaKeyType, createAuthority } from '../../../certs/authority.ts';

const keyTypes: CaKeyType[] = ['ec', 'rsa'];

for (const keyType of keyTypes) {
  test(`a leaf below an intermediate verifies up to its root (${keyType})`, async () => {
    const authority = await createAuthority({ keyType });
    const intermediate = await authority.intermediate({ commonName: 'Middle, "the" = CA' });
    const issued = await intermediate.issue({ dns: ['localhost', '*.example.com'], ip: ['127.0.0.1', '::1'] });
    const [leaf, middle, ...more] = certificatesIn(issued.chain);
    const root = new X509Certificate(authority.pem);

    assert.ok(leaf !== undefined && middle !== undefined && more.length === 0, 'leaf, intermediate, no root');
    assert.equal(leaf.toString(), new X509Certificate(issued.cert).toString());
    assert.equal(middle.toString(), new X509Certificate(intermediate.pem).toString());
    assert.ok(leaf.verify(middle.publicKey) && leaf.checkIssued(middle));
    assert.ok(middle.verify(root.publicKey) && middle.checkIssued(root));
    assert.ok(root.verify(root.publicKey) && root.ca && middle.ca && !leaf.ca);
    assert.ok(!leaf.verify(root.publicKey));
    assert.equal(intermediate.rootPem, authority.pem);
    assert.equal(middle.subject, 'CN=Middle\\, \\"the\\" = CA');

    assert.ok(leaf.checkPrivateKey(createPrivateKey(issued.key)));
    assert.equal(leaf.serialNumber, issued.serial);
    assert.equal(leaf.checkHost('localhost'), 'localhost');
    assert.equal(leaf.checkHost('a.example.com'), '*.example.com');
    assert.equal(leaf.checkHost('example.org'), undefined);
    assert.equal(leaf.checkIP('::1'), '::1');
    assert.equal(leaf.publicKey.asymmetricKeyType, keyType);
  });
}

test('a chain of two intermediates is told leaf first, without the root', async () => {
  const first = await (await createAuthority()).intermediate({ commonName: 'First' });
  const second = await first.intermediate({ commonName: 'Second' });
  const { chain } = await second.issue({ dns: ['localhost'] });
  assert.deepEqual(
    certificatesIn(chain).map((certificate) => certificate.subject),
    ['CN=localhost', 'CN=Second', 'CN=First'],
  );
});

test('subject, URI, purpose and dates are the ones asked for', async () => {
  const authority = await createAuthority();
  const notBefore = new Date('2026-01-02T03:04:05Z');
  const notAfter = new Date('2027-01-02T03:04:05Z');
  const uri = 'spiffe://cluster.local/ns/a/sa/b';
  const issued = await authority.issue({
    commonName: 'client "#1"',
    organizationalUnit: 'Payments',
    uri: [uri],
    usage: 'client',
    notBefore,
    notAfter,
  });
  const leaf = new X509Certificate(issued.cert);
  assert.deepEqual({ ...leaf.toLegacyObject().subject }, { OU: 'Payments', CN: 'client "#1"' });
  assert.equal(leaf.subjectAltName, `URI:${uri}`);
  assert.deepEqual(leaf.keyUsage, ['1.3.6.1.5.5.7.3.2']);
  assert.equal(Date.parse(leaf.validFrom), notBefore.getTime());
  assert.equal(Date.parse(leaf.validTo), notAfter.getTime());
});

test('an expired leaf began before it ended', async () => {
  const notAfter = new Date(Date.now() - 60_000);
  const leaf = new X509Certificate((await (await createAuthority()).issue({ notAfter })).cert);
  assert.ok(Date.parse(leaf.validFrom) < Date.parse(leaf.validTo) && Date.parse(leaf.validTo) < Date.now());
});

test('a leaf may have another kind of key than its authority, a weak one too', async () => {
  const authority = await createAuthority();
  const issued = await authority.issue({ dns: ['localhost'], keyType: 'rsa1024' });
  const leaf = new X509Certificate(issued.cert);
  assert.equal(leaf.publicKey.asymmetricKeyDetails?.modulusLength, 1024);
  assert.ok(leaf.verify(new X509Certificate(authority.pem).publicKey));
});

test('two authorities of the same name do not verify each other', async () => {
  const [one, other] = [await createAuthority(), await createAuthority()];
  const leaf = new X509Certificate((await one.issue()).cert);
  assert.ok(!leaf.verify(new X509Certificate(other.pem).publicKey));
});

function certificatesIn(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/g) ?? [];
  assert.equal(blocks.join(''), pem, 'nothing but certificates');
  return blocks.map((block) => new X509Certificate(block));
}
