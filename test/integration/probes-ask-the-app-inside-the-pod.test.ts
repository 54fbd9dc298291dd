// GET /probe/…: what `--probe` declares is asked of the app, and its status answered, with nothing else of the app; what is
// not declared is not asked. Draining changes nothing of that.
import assert from 'node:assert/strict';
import { createServer } from 'node:https';
import { type AddressInfo, connect as connectTcp } from 'node:net';
import { describe, test } from 'node:test';
import { askAdmin } from '../support/admin.ts';
import { startApp, unusedPort } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import { NOT_SERVING, openHealthApp, SERVING } from '../support/health-app.ts';
import { startHeldApp } from '../support/held-app.ts';
import { eventually } from '../support/poll.ts';
import { runToExit } from '../support/program.ts';
import { connect } from '../support/raw-client.ts';
import { setStage } from '../support/stage.ts';

const probe = (...texts: string[]): string[] => texts.flatMap((text) => ['--probe', text]);

describe('probes', { concurrency: 4 }, () => {
  test('of every kind are answered with the status of the app, and nothing else of it', async (t) => {
    const stage = await setStage(t);
    let healthy = true;
    const http = await startApp(t, ({ url }, response) => {
      response.setHeader('X-App', 'secret');
      response.setHeader('Set-Cookie', 'a=b');
      if (url === '/none') return void response.writeHead(204).end();
      response.writeHead(healthy && url === '/healthz?deep=1' ? 200 : 503).end('secret');
    });
    const https = createServer({ cert: stage.pair.chain, key: stage.pair.key }, (_, response) =>
      response.writeHead(healthy ? 200 : 500).end('secret'),
    );
    await new Promise<void>((resolve) => https.listen(0, '127.0.0.1', resolve));
    const { port: secure } = https.address() as AddressInfo;
    const grpc = await openHealthApp();
    t.after(() => {
      grpc.close();
      https.close();
      https.closeAllConnections();
    });
    const closed = await unusedPort();
    const sidecar = await stage.start({
      upstream: http.port,
      args: probe(
        ...[`http:${http.port}/healthz?deep=1`, `http:${http.port}/none`, `https:${secure}`, `tcp:${http.port}`],
        ...[`tcp:${closed}`, `grpc:${grpc.port}`, `grpc:${grpc.port}/shop.v1.Orders`],
      ),
    });
    const statuses = async (): Promise<number[]> => {
      const paths = [
        ...[`http/${http.port}/healthz?deep=1`, `http/${http.port}/none`, `https/${secure}`, `tcp/${http.port}`],
        ...[`tcp/${closed}`, `grpc/${grpc.port}`, `grpc/${grpc.port}/shop.v1.Orders`],
      ];
      const answers = await Promise.all(paths.map((path) => askAdmin(sidecar, `/probe/${path}`)));
      for (const { headers, body } of answers) {
        assert.doesNotMatch(`${JSON.stringify(headers)}${body}`, /secret|set-cookie/i);
        assert.deepEqual([headers.connection, headers['x-app']], ['close', undefined]);
      }
      return answers.map(({ status }) => status);
    };
    assert.deepEqual(await statuses(), [200, 204, 200, 200, 502, 200, 502]);
    healthy = false;
    grpc.services.set('', NOT_SERVING).set('shop.v1.Orders', SERVING);
    // Until the verdicts of a moment ago are not shared any more.
    await eventually(
      async () => {
        assert.deepEqual(await statuses(), [503, 204, 500, 200, 502, 503, 200]);
        return true;
      },
      { what: 'the app to be found sick', everyMs: 100 },
    );
    await endsWell(sidecar);
  });

  test('that are not declared are not asked, whatever the path looks like', async (t) => {
    const stage = await setStage(t);
    let asked = 0;
    const app = await startApp(t, (_, response) => {
      asked++;
      response.end();
    });
    const sidecar = await stage.start({ upstream: app.port, args: probe(`http:${app.port}/healthz`) });
    for (const path of [
      `/probe/http/${app.port}/`,
      `/probe/http/${app.port}`,
      `/probe/http/${app.port}/healthz/`,
      `/probe/http/${app.port}/healthz?x`,
      `/probe/http/${app.port}/./healthz`,
      `/probe/http/${app.port}//healthz`,
      `/probe/http/0${app.port}/healthz`,
      `/probe/https/${app.port}/healthz`,
      `/probe/tcp/${app.port}`,
      `/probe/http/169.254.169.254:80/healthz`,
      '/probe/',
      '/probe',
    ]) {
      const answer = await askAdmin(sidecar, path);
      assert.equal(answer.status, 404, path);
      assert.ok(answer.body.includes(`/probe/http/${app.port}/healthz`), 'it says which there are');
    }
    assert.equal((await askAdmin(sidecar, `/probe/http/${app.port}/healthz`, 'POST')).status, 405);
    assert.equal(asked, 0);
    assert.deepEqual(
      [await askAdmin(sidecar, `/probe/http/${app.port}/healthz`, 'HEAD')].map(({ status, body }) => [status, body]),
      [[200, '']],
    );
    assert.equal(asked, 1);
    await endsWell(sidecar);
  });

  test('go on while the sidecar drains', async (t) => {
    const stage = await setStage(t);
    const app = await startHeldApp(t);
    const path = `/probe/http/${app.port}/now`;
    const args = [...probe(`http:${app.port}/now`), '--drain-timeout', '30s'];
    const sidecar = await stage.start({ upstream: app.port, args });
    const client = await connect({ port: sidecar.port });
    client.send('GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const { response } = await app.waitFor(1);
    sidecar.kill('SIGTERM');
    await eventually(async () => (await askAdmin(sidecar, '/readyz')).status === 503, { what: 'a 503 of /readyz' });
    assert.equal((await askAdmin(sidecar, path)).status, 200);
    response.end();
    assert.equal((await client.readResponse()).status, 200);
    assert.deepEqual(await sidecar.exited, { code: 0, signal: null });
  });

  test('are given up when the kubelet leaves, and nothing of them outlives the sidecar', async (t) => {
    const stage = await setStage(t);
    const app = await startHeldApp(t);
    const sidecar = await stage.start({ upstream: app.port, args: probe(`http:${app.port}/healthz`) });
    const kubelet = connectTcp(sidecar.adminPort, '127.0.0.1');
    kubelet.write(`GET /probe/http/${app.port}/healthz HTTP/1.1\r\nHost: a\r\n\r\n`);
    const { request } = await app.waitFor(1);
    kubelet.destroy();
    await eventually(() => request.socket.destroyed, { what: 'the end of the question' });
    const waiting = askAdmin(sidecar, `/probe/http/${app.port}/healthz`).catch(() => undefined);
    const second = await app.waitFor(2);
    await endsWell(sidecar);
    await waiting;
    await eventually(() => second.request.socket.destroyed, { what: 'the end of the other question' });
  });

  test('are told by check: what they would answer now', async (t) => {
    const stage = await setStage(t);
    const app = await startApp(t, ({ url }, response) => response.writeHead(url === '/ok' ? 200 : 500).end());
    const closed = await unusedPort();
    const { code, stdout } = await runToExit([
      ...['check', '--cert', stage.volume.path('tls.crt'), '--key', stage.volume.path('tls.key')],
      ...['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--upstream', `http://127.0.0.1:${app.port}`],
      ...probe(`http:${app.port}/ok`, `http:${app.port}/sick`, `tcp:${closed}`),
    ]);
    assert.equal(code, 0, stdout);
    assert.match(stdout, new RegExp(`^ok +/probe/http/${app.port}/ok: ok: 200$`, 'm'));
    assert.match(
      stdout,
      new RegExp(`^warning +/probe/http/${app.port}/sick would answer 500: .*correct --probe$`, 'm'),
    );
    assert.match(stdout, new RegExp(`^warning +/probe/tcp/${closed} would answer 502: .*ECONNREFUSED`, 'm'));
  });
});
