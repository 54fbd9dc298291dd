// What the handshake agrees on: TLS 1.2 and 1.3 or only 1.3, AES-128 first, and the post-quantum key exchange where the
// runtime has it, which is asked for with a ClientHello of our own: not every client on a machine can.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect as connectTcp } from 'node:net';
import { describe, test } from 'node:test';
import { readMetrics } from '../support/admin.ts';
import { startApp } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import { connect } from '../support/raw-client.ts';
import { setStage } from '../support/stage.ts';

const X25519MLKEM768 = 0x11ec;
const X25519 = 0x001d;
const SERVER_HELLO = 2;
/** RFC 8446 section 4.1.3: the random of a HelloRetryRequest. */
const RETRY = 'cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c';

function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

function sized(bytes: Buffer): Buffer {
  return Buffer.concat([u16(bytes.length), bytes]);
}

/** Offers one group and no share of it, so that a server which knows it asks for one (RFC 8446 section 4.2.8). */
function clientHello(group: number): Buffer {
  const extension = (type: number, body: Buffer): Buffer => Buffer.concat([u16(type), sized(body)]);
  const extensions = Buffer.concat([
    extension(43, Buffer.from([2, 3, 4])), // supported_versions: TLS 1.3
    extension(10, sized(u16(group))), // supported_groups
    extension(13, sized(Buffer.from([4, 3, 8, 4]))), // signature_algorithms: ECDSA P-256, RSA-PSS
    extension(51, sized(Buffer.alloc(0))), // key_share: none yet
  ]);
  const session = randomBytes(32);
  const body = Buffer.concat([
    ...[u16(0x0303), randomBytes(32), Buffer.from([session.length]), session],
    ...[sized(u16(0x1301)), Buffer.from([1, 0]), sized(extensions)],
  ]);
  const message = Buffer.concat([Buffer.from([1, 0]), sized(body)]);
  return Buffer.concat([Buffer.from([0x16, 3, 1]), sized(message)]);
}

/** `retry` when the server asks for a share of the group, else the description of its alert. */
function offer(port: number, group: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ port, host: '127.0.0.1' }, () => socket.write(clientHello(group)));
    socket.setTimeout(5000, () => socket.destroy(new Error('no answer')));
    socket.once('error', reject);
    socket.once('data', (bytes: Buffer) => {
      socket.destroy();
      if (bytes[0] === 0x15) return resolve(`alert ${bytes[6]}`);
      assert.deepEqual([bytes[0], bytes[5]], [0x16, SERVER_HELLO]);
      assert.equal(bytes.subarray(11, 43).toString('hex'), RETRY);
      assert.ok(bytes.includes(Buffer.concat([u16(51), u16(2), u16(group)])), 'another group is asked for');
      resolve('retry');
    });
  });
}

describe('the handshake', () => {
  test('exchanges keys by X25519MLKEM768 where OpenSSL has it (3.5), else by X25519', async (t) => {
    const stage = await setStage(t);
    const app = await startApp(t, (_, response) => response.end());
    const sidecar = await stage.start({ upstream: app.port });
    const [, major, minor] = /openssl="(\d+)\.(\d+)/.exec((await readMetrics(sidecar)).text) ?? [];
    const modern = Number(major) > 3 || (Number(major) === 3 && Number(minor) >= 5);
    assert.equal(await offer(sidecar.port, X25519), 'retry');
    assert.equal(await offer(sidecar.port, X25519MLKEM768), modern ? 'retry' : 'alert 40');
    await endsWell(sidecar);
  });

  for (const least of ['1.2', '1.3'] as const) {
    test(`speaks TLS 1.3${least === '1.2' ? ' and 1.2' : ' only'} with --tls-min-version ${least}, AES-128 first`, async (t) => {
      const stage = await setStage(t);
      const app = await startApp(t, (_, response) => response.end());
      const sidecar = await stage.start({ upstream: app.port, args: ['--tls-min-version', least] });
      const shake = async (version: 'TLSv1.2' | 'TLSv1.3') => {
        // The client would rather have AES-256.
        const ciphers =
          'TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256';
        const client = await connect({
          port: sidecar.port,
          minVersion: version,
          maxVersion: version,
          tls: { ciphers },
        });
        const { standardName } = client.socket.getCipher();
        client.end();
        await client.closed;
        return standardName;
      };
      assert.equal(await shake('TLSv1.3'), 'TLS_AES_128_GCM_SHA256');
      if (least === '1.2') assert.equal(await shake('TLSv1.2'), 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256');
      else await assert.rejects(shake('TLSv1.2'), { code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
      const refused = least === '1.2' ? 0 : 1;
      assert.equal((await readMetrics(sidecar)).sum('handshake_failures_total', { reason: 'version' }), refused);
      await endsWell(sidecar);
    });
  }
});
