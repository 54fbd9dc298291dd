// Who passes by its certificate, and what the app is told of it: ours once, and no copy that came from outside, however it
// was spelled.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CertificateFacts, ClientIdentity } from '../../../src/clients/certificate.ts';
import { REJECTIONS } from '../../../src/errors.ts';
import { certificateField, clientCertificate, clientIdentity } from '../../../src/pipeline/client-identity.ts';
import { FakeExchange } from './fake-exchange.ts';

const FACTS: CertificateFacts = {
  name: 'spiffe://td/a',
  subject: 'CN=web,OU=a\\"b',
  sha256: 'ab'.repeat(32),
  commonNames: ['web'],
  units: [],
  dns: ['a.example', 'b.example'],
  uris: ['spiffe://td/a', 'https://x/?a=1;b'],
};
const FIELD = `Hash=${'ab'.repeat(32)};Subject="CN=web,OU=a\\"b";URI=spiffe://td/a;URI="https://x/?a=1;b";DNS=a.example;DNS=b.example`;
const verified: ClientIdentity = { kind: 'verified', certificate: FACTS };

describe('the policy', () => {
  type Row = readonly [
    what: string,
    client: ClientIdentity | undefined,
    open: keyof typeof REJECTIONS | undefined,
    restricted: keyof typeof REJECTIONS | undefined,
  ];
  const rows: readonly Row[] = [
    ['a verified client that a rule names', verified, undefined, undefined],
    [
      'a verified client that no rule names',
      { kind: 'verified', certificate: { ...FACTS } },
      undefined,
      'client_not_allowed',
    ],
    ['a client without a certificate', { kind: 'none' }, undefined, 'client_certificate_missing'],
    ['a connection where none was asked for', undefined, undefined, 'client_certificate_missing'],
    [
      'a refused certificate',
      { kind: 'refused', reason: 'client_certificate_expired' },
      'client_certificate_expired',
      'client_certificate_expired',
    ],
  ];
  const admits = (certificate: CertificateFacts): boolean => certificate === FACTS;
  for (const [what, client, open, restricted] of rows) {
    test(`on ${what}`, () => {
      const exchange = new FakeExchange({ connection: { client } });
      const without = clientIdentity({ restricted: false, admits }).apply(exchange);
      const withRules = clientIdentity({ restricted: true, admits }).apply(exchange);
      assert.deepEqual([without, withRules], [open && REJECTIONS[open], restricted && REJECTIONS[restricted]]);
    });
  }
});

describe('X-Forwarded-Client-Cert', () => {
  test('is written as Envoy writes it', () => assert.equal(certificateField(FACTS), FIELD));

  test('has no names where the certificate has none', () => {
    const certificate = { ...FACTS, dns: [], uris: [], subject: '' };
    assert.equal(certificateField(certificate), `Hash=${FACTS.sha256};Subject=""`);
  });

  const spellings = [
    'X-Forwarded-Client-Cert',
    'x-forwarded-client-cert',
    'X_FORWARDED_CLIENT_CERT',
    'X-Forwarded_Client-Cert',
    'x_forwarded-client_cert',
  ];
  for (const name of spellings) {
    test(`${name} of a client goes, wherever it stands, with a certificate and without`, () => {
      for (const headers of [
        [name, 'By=spoofed', 'Accept', '*/*'],
        ['Accept', '*/*', name, '', name, 'By=spoofed'],
      ]) {
        const bare = new FakeExchange({ headers: [...headers], connection: { client: { kind: 'none' } } });
        clientCertificate.apply(bare);
        assert.deepEqual(bare.sent, ['Accept', '*/*']);
        const known = new FakeExchange({ headers: [...headers], connection: { client: verified } });
        clientCertificate.apply(known);
        assert.deepEqual(known.sent, ['Accept', '*/*', 'X-Forwarded-Client-Cert', FIELD]);
      }
    });
  }

  test('leaves all else as it is, and the list itself where there is nothing to do', () => {
    const headers = ['X-Forwarded-Client-Certs', 'a', 'X-Forwarded-For', 'b', 'Y-Forwarded-Client-Cert', 'c'];
    const exchange = new FakeExchange({ headers });
    clientCertificate.apply(exchange);
    assert.equal(exchange.headers, headers);
    assert.equal(headers.length, 6);
  });
});
