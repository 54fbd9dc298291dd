// PEM to a checked pair: every way in which the text of two files can be wrong, and the reason that it is told as.
import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { describe, test } from 'node:test';
import { createAuthority } from '../../../certs/authority.ts';
import { type Bundle, parseBundle } from '../../../src/identity/bundle.ts';
import { BundleError, type BundleReason } from '../../../src/identity/bundle-error.ts';

const authority = await createAuthority({ commonName: 'Root' });
const middle = await authority.intermediate({ commonName: 'Middle' });
const pair = await middle.issue({ dns: ['a.example', '*.b.example'], ip: ['127.0.0.1'] });
const other = await middle.issue({ dns: ['other.example'] });
const weak = await authority.issue({ keyType: 'rsa1024', dns: ['weak.example'] });
const rsa = await authority.issue({ keyType: 'rsa', dns: ['rsa.example'] });

function parse(cert: string | Buffer, key: string | Buffer): Bundle {
  return parseBundle({ certPath: 'tls.crt', keyPath: 'tls.key', cert: Buffer.from(cert), key: Buffer.from(key) });
}

const pem = (key: KeyObject, type: 'pkcs8' | 'sec1' | 'pkcs1' = 'pkcs8'): string =>
  key.export({ type, format: 'pem' } as { type: 'pkcs8'; format: 'pem' }).toString();
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const encrypted = (type: 'pkcs8' | 'sec1'): string =>
  ec.privateKey.export({ type, format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' } as never).toString();
const publicKey = ec.publicKey.export({ type: 'spki', format: 'pem' }).toString();
const der = new X509Certificate(pair.cert).raw;

const half = (text: string): string => text.slice(0, text.length / 2);
const spoiled = (text: string): string => text.replace(/(-----\n)[\s\S]+(\n-----END)/, '$1AAAA$2');

describe('a pair that is wrong', () => {
  const rows: readonly (readonly [
    what: string,
    cert: string | Buffer,
    key: string | Buffer,
    reason: BundleReason,
    says: RegExp,
  ])[] = [
    ['an empty certificate', '', pair.key, 'empty', /^tls\.crt is empty$/],
    ['an empty key', pair.chain, '', 'empty', /^tls\.key is empty$/],
    ['two empty files', '', '', 'empty', /^tls\.crt is empty$/],
    ['white space as a certificate', ' \n', pair.key, 'no_certificate', /tls\.crt holds no PEM certificate/],
    ['white space as a key', pair.chain, '\n', 'no_key', /tls\.key holds no PEM private key/],
    ['a text as a certificate', 'hello\n', pair.key, 'no_certificate', /tls\.crt/],
    ['the key as the certificate', pair.key, pair.key, 'no_certificate', /tls\.crt/],
    ['the two files swapped', pair.key, pair.chain, 'no_certificate', /tls\.crt/],
    ['the certificate as the key', pair.chain, pair.chain, 'no_key', /tls\.key/],
    ['a certificate in DER', der, pair.key, 'no_certificate', /tls\.crt .*: it is binary.* openssl x509 -inform der/],
    [
      'a certificate in UTF-16',
      Buffer.from(pair.chain, 'utf16le'),
      pair.key,
      'no_certificate',
      /tls\.crt .* no UTF-8 text.*save it as UTF-8/,
    ],
    ['a certificate without armour', half(pair.cert).replace(/^.*\n/, ''), pair.key, 'no_certificate', /tls\.crt/],
    ['a begin line alone', '-----BEGIN CERTIFICATE-----\n', pair.key, 'malformed_certificate', /cut off/],
    ['half a certificate', half(pair.cert), pair.key, 'malformed_certificate', /tls\.crt is cut off/],
    [
      'a chain whose end is cut off',
      pair.chain.slice(0, -40),
      pair.key,
      'malformed_certificate',
      /tls\.crt is cut off/,
    ],
    [
      'half a certificate and then a whole one',
      half(pair.cert) + pair.chain,
      pair.key,
      'malformed_certificate',
      /cut off/,
    ],
    ['a certificate of nonsense', spoiled(pair.cert), pair.key, 'malformed_certificate', /^certificate 1 in tls\.crt/],
    [
      'nonsense behind the leaf',
      pair.cert + spoiled(pair.cert),
      pair.key,
      'malformed_certificate',
      /^certificate 2 in/,
    ],
    [
      'a certificate of no letters',
      pair.cert.replace(/(-----\n)[\s\S]+(\n-----END)/, '$1*$2'),
      pair.key,
      'malformed_certificate',
      /1/,
    ],
    ['half a key', pair.chain, half(pair.key), 'malformed_key', /^tls\.key is cut off: the key has no end line$/],
    [
      'a key whose last byte is missing',
      pair.chain,
      pair.key.trimEnd().slice(0, -1),
      'malformed_key',
      /tls\.key is cut/,
    ],
    [
      'a key in DER',
      pair.chain,
      ec.privateKey.export({ type: 'pkcs8', format: 'der' }),
      'no_key',
      /tls\.key .* it is binary .* openssl pkey -inform der/,
    ],
    ['a short RSA key', weak.chain, weak.key, 'weak_key', /RSA key in tls\.key has 1024 bits.* at least 2048/],
    ['a public key', pair.chain, publicKey, 'no_key', /tls\.key/],
    ['a key of nonsense', pair.chain, spoiled(pair.key), 'malformed_key', /^the key in tls\.key cannot be read$/],
    [
      'a key of another kind than it says',
      pair.chain,
      pair.key.replaceAll('PRIVATE', 'RSA PRIVATE'),
      'malformed_key',
      /tls\.key/,
    ],
    ['an encrypted key', pair.chain, encrypted('pkcs8'), 'encrypted_key', /decrypt it first/],
    ['an encrypted key of the old kind', pair.chain, encrypted('sec1'), 'encrypted_key', /decrypt it first/],
    [
      'the key of another pair',
      pair.chain,
      other.key,
      'key_mismatch',
      /tls\.key does not belong .* in tls\.crt: they are of two/,
    ],
    ['a new certificate with the old key', other.chain, pair.key, 'key_mismatch', /two different pairs/],
    ['an RSA key for an EC certificate', pair.chain, rsa.key, 'key_mismatch', /two different pairs/],
    ['an EC key for an RSA certificate', rsa.chain, pair.key, 'key_mismatch', /two different pairs/],
    ['the authority alone', authority.pem, pair.key, 'key_mismatch', /two different pairs/],
    ...(['ed25519', 'ed448', 'x25519', 'x448'] as const).map(
      (kind) =>
        [
          `an ${kind} key`,
          pair.chain,
          pem(generateKeyPairSync(kind as 'ed25519').privateKey),
          'key_mismatch',
          /two different pairs/,
        ] as const,
    ),
    [
      'an RSA-PSS key',
      rsa.chain,
      pem(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey),
      'key_mismatch',
      /two different pairs/,
    ],
    [
      'an EC key on another curve',
      pair.chain,
      pem(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey),
      'key_mismatch',
      /two different pairs/,
    ],
  ];
  for (const [what, cert, key, reason, says] of rows) {
    test(`is told as ${reason}: ${what}`, () => {
      assert.throws(
        () => parse(cert, key),
        (error) => {
          assert.ok(error instanceof BundleError, String(error));
          assert.equal(error.reason, reason);
          assert.match(error.message, says);
          for (const line of pair.key.split('\n').filter((text) => text.length > 20 && !text.startsWith('-')))
            assert.ok(!error.message.includes(line), 'no key material');
          return true;
        },
      );
    });
  }

  test('is told as cut off wherever the certificate or the key is cut off', () => {
    const cert = pair.cert.trimEnd();
    for (let end = 1; end < cert.length; end += 7) {
      assert.throws(() => parse(cert.slice(0, end), pair.key), {
        reason: end < '-----BEGIN CERTIFICATE-----'.length ? 'no_certificate' : 'malformed_certificate',
      });
    }
    const key = pair.key.trimEnd();
    for (let end = 1; end < key.length; end += 7) {
      assert.throws(() => parse(cert, key.slice(0, end)), {
        reason: end < '-----BEGIN PRIVATE KEY-----'.length ? 'no_key' : 'malformed_key',
      });
    }
  });
});

describe('a pair that is right', () => {
  test('is told by its facts', () => {
    const bundle = parse(pair.chain, pair.key);
    const leaf = new X509Certificate(pair.cert);
    assert.deepEqual(
      [bundle.subject, bundle.issuer, bundle.names, bundle.serial, bundle.keyKind, bundle.chainLength],
      [
        'CN=a.example',
        'CN=Middle',
        'DNS:a.example, DNS:*.b.example, IP Address:127.0.0.1',
        pair.serial.toLowerCase(),
        'ec prime256v1',
        2,
      ],
    );
    assert.match(bundle.sha256, /^[0-9a-f]{64}$/);
    assert.equal(bundle.sha256, leaf.fingerprint256.replaceAll(':', '').toLowerCase());
    assert.deepEqual([bundle.notBefore, bundle.notAfter], [new Date(leaf.validFrom), new Date(leaf.validTo)]);
  });

  const good: readonly (readonly [what: string, cert: string | Buffer, key: string | Buffer, length: number])[] = [
    ['the leaf alone', pair.cert, pair.key, 1],
    ['a chain', pair.chain, pair.key, 2],
    ['a chain with its root', pair.chain + authority.pem, pair.key, 3],
    ['one file for both', pair.chain + pair.key, pair.chain + pair.key, 2],
    ['one file for both, the key first', pair.key + pair.chain, pair.key + pair.chain, 2],
    ['CRLF line ends', pair.chain.replaceAll('\n', '\r\n'), pair.key.replaceAll('\n', '\r\n'), 2],
    ['a byte order mark', `\uFEFF${pair.chain}`, `\uFEFF${pair.key}`, 2],
    ['no line end at the end', pair.chain.trimEnd(), pair.key.trimEnd(), 2],
    ['words between the certificates', `Bag Attributes\n  x: y\n${pair.cert}\n# issuer\n${middle.pem}`, pair.key, 2],
    [
      'parameters before the key',
      pair.chain,
      `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${pair.key}`,
      2,
    ],
    ['an RSA pair', rsa.chain, rsa.key, 1],
  ];
  for (const [what, cert, key, length] of good) {
    test(`is taken: ${what}`, () => assert.equal(parse(cert, key).chainLength, length));
  }

  const mended: readonly (readonly [what: string, cert: string])[] = [
    ['upside down', middle.pem + pair.cert],
    ['with its root first', authority.pem + pair.cert + middle.pem],
    ['with the leaf twice', pair.cert + pair.cert + middle.pem],
    ['with the leaf last', authority.pem + middle.pem + pair.cert],
  ];
  for (const [what, cert] of mended) {
    test(`is put in order, and says so: ${what}`, () => {
      const bundle = parse(cert, pair.key);
      assert.ok(bundle.cert.startsWith(pair.chain), bundle.cert);
      assert.deepEqual(
        bundle.warnings.map(({ reason }) => reason),
        ['chain_mended'],
      );
      assert.equal(bundle.serial, pair.serial.toLowerCase());
    });
  }

  test('with certificates of another chain is served as it is, and says so', () => {
    const bundle = parse(pair.chain + other.cert, pair.key);
    assert.equal(bundle.cert, pair.chain + other.cert);
    assert.match(bundle.warnings[0]?.text ?? '', /^tls\.crt holds 1 certificates that are not of the leaf's chain/);
  });

  test('with the leaf behind a stranger is put in order as far as it is understood', () => {
    const bundle = parse(other.cert + pair.cert + middle.pem, pair.key);
    assert.equal(bundle.cert, pair.chain + other.cert);
    assert.deepEqual(
      bundle.warnings.map(({ reason }) => reason),
      ['chain_mended', 'chain_strays'],
    );
  });

  test('for clients only is told as such', async () => {
    const client = await authority.issue({ dns: ['c.example'], usage: 'client' });
    assert.deepEqual(
      parse(client.chain, client.key).warnings.map(({ reason }) => reason),
      ['not_for_servers'],
    );
  });

  test('is given on as clean PEM, whatever stood around it in the files', () => {
    const bundle = parse(`words\n${pair.chain}words`, `words\n${pair.key}words`);
    assert.equal(bundle.cert, pair.chain);
    assert.equal(bundle.key, pair.key);
  });

  test('is told as of its kind of key', () => {
    assert.equal(parse(rsa.chain, rsa.key).keyKind, 'rsa 2048');
  });

  test('has no names where the certificate has none, and its subject all the same', async () => {
    const bare = await authority.issue({ commonName: 'bare', organizationalUnit: 'unit' });
    const bundle = parse(bare.chain, bare.key);
    assert.deepEqual([bundle.names, bundle.subject], ['', 'OU=unit, CN=bare']);
    assert.deepEqual(
      bundle.warnings.map(({ reason }) => reason),
      ['no_names'],
    );
  });

  test('is not judged by its dates', async () => {
    const day = 86_400_000;
    const expired = await authority.issue({ notAfter: new Date(Date.now() - day) });
    const early = await authority.issue({ notBefore: new Date(Date.now() + day) });
    assert.ok(parse(expired.chain, expired.key).notAfter < new Date());
    assert.ok(parse(early.chain, early.key).notBefore > new Date());
  });
});
