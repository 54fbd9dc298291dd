// Whom what is held for a client is counted to.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CertificateFacts, ClientIdentity } from '../../../src/clients/certificate.ts';
import { clientKey } from '../../../src/clients/client-key.ts';

const verified = (name: string): ClientIdentity => ({
  kind: 'verified',
  certificate: { name, sha256: 'ab' } as CertificateFacts,
});

test('a verified client is its name, wherever it comes from', () => {
  assert.equal(clientKey(verified('spiffe://x/y'), '192.0.2.1'), clientKey(verified('spiffe://x/y'), '192.0.2.2'));
  assert.notEqual(clientKey(verified('CN=a'), '192.0.2.1'), clientKey(verified('CN=b'), '192.0.2.1'));
});

test('a verified client without a name is its certificate', () => {
  assert.equal(clientKey(verified(''), '192.0.2.1'), 'certificate ab');
});

test('no certificate passes for an address', () => {
  assert.notEqual(clientKey(verified('192.0.2.1'), '192.0.2.2'), clientKey(undefined, '192.0.2.1'));
});

test('any other client is its address, and of IPv6 its network', () => {
  assert.equal(clientKey(undefined, '192.0.2.1'), '192.0.2.1');
  assert.equal(clientKey({ kind: 'none' }, '2001:db8::1'), clientKey(undefined, '2001:db8::2'));
  assert.equal(
    clientKey({ kind: 'refused', reason: 'client_certificate_untrusted' }, '2001:db8:1::1'),
    '2001:db8:1:0::/64',
  );
});
