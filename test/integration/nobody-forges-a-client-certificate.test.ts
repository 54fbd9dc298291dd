// X-Forwarded-Client-Cert comes from the handshake and from nowhere else: whatever a client sends under this name, in any
// spelling, repeated, named in Connection or in trailers, over HTTP/1.1 and HTTP/2, the app sees ours once, or nothing.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { connect as connectHttp2 } from 'node:http2';
import { join } from 'node:path';
import { test } from 'node:test';
import { createAuthority } from '../../certs/authority.ts';
import { startApp } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import { answerOf } from '../support/node-h2-client.ts';
import { connect } from '../support/raw-client.ts';
import { forwarders, setStage } from '../support/stage.ts';

const authority = await createAuthority();
const { chain: cert, key } = await authority.issue({ usage: 'client', commonName: 'web' });

const spoofs: readonly (readonly string[])[] = [
  ['X-Forwarded-Client-Cert: Hash=spoofed'],
  ['x-forwarded-client-cert: Hash=spoofed', 'X-FORWARDED-CLIENT-CERT: Hash=spoofed'],
  ['X_Forwarded_Client_Cert: Hash=spoofed'],
  ['X-Forwarded_Client-Cert: Hash=spoofed'],
  ['x_forwarded-client_cert: Hash=spoofed', 'X-Forwarded-Client-Cert:'],
  ['Connection: X-Forwarded-Client-Cert'],
  ['Connection: keep-alive, x_forwarded_client_cert', 'X-Forwarded-Client-Cert: Hash=spoofed'],
];

for (const forwarder of forwarders) {
  for (const asked of [true, false]) {
    test(`${asked ? 'ours once, with a certificate' : 'nothing, where none is asked for'} (${forwarder})`, async (t) => {
      const stage = await setStage(t);
      const app = await startApp(t, (request, response) => {
        request.resume();
        request.on('end', () => {
          const all = [...request.rawHeaders, ...request.rawTrailers];
          const seen = all.flatMap((name, i) => (/client.cert/i.test(name) && i % 2 === 0 ? [name, all[i + 1]] : []));
          response.end(JSON.stringify(seen));
        });
      });
      const caFile = join(stage.dir, 'ca.pem');
      await writeFile(caFile, authority.pem);
      const args = ['--forwarder', forwarder, ...(asked ? ['--client-ca', caFile] : [])];
      const sidecar = await stage.start({ upstream: app.port, args });
      const check = (text: string, what: string): void => {
        const seen = JSON.parse(text) as string[];
        assert.deepEqual(
          seen.map((value) => value.replace(/[0-9a-f]{64}/, 'X').toLowerCase()),
          asked ? ['x-forwarded-client-cert', 'hash=x;subject="cn=web"'] : [],
          what,
        );
      };
      const client = await connect({ port: sidecar.port, cert, key });
      for (const lines of spoofs) {
        client.send(`GET / HTTP/1.1\r\nHost: localhost\r\n${lines.join('\r\n')}\r\n\r\n`);
        check((await client.readResponse()).body.toString(), lines.join(' | '));
      }
      const chunked = 'POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n';
      client.send(`${chunked}1\r\nx\r\n0\r\nX-Forwarded-Client-Cert: Hash=spoofed\r\n\r\n`);
      check((await client.readResponse()).body.toString(), 'in trailers');
      client.end();
      await client.closed;

      const session = connectHttp2(`https://localhost:${sidecar.port}`, { rejectUnauthorized: false, cert, key });
      t.after(() => session.destroy());
      for (const name of ['x-forwarded-client-cert', 'x_forwarded_client_cert', 'x-forwarded_client-cert']) {
        const { body } = await answerOf(session.request({ ':path': '/', [name]: ['Hash=spoofed', 'Hash=again'] }));
        check(body.toString(), `HTTP/2 ${name}`);
      }
      session.close();
      await endsWell(sidecar);
    });
  }
}
