// Several --listen, each with its --upstream: every protocol reaches the app behind the port that it came in at; certificates,
// limits, metrics and the drain are of all ports together; the log tells them apart.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { askAdmin, readMetrics } from '../support/admin.ts';
import { startApp, unusedPort } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import { message } from '../support/grpc.ts';
import { openGrpcApp } from '../support/grpc-app.ts';
import { calls, openGrpcClient } from '../support/grpc-client.ts';
import { startHeldApp } from '../support/held-app.ts';
import { openH2Client } from '../support/node-h2-client.ts';
import { eventually } from '../support/poll.ts';
import { runToExit } from '../support/program.ts';
import { connect, connectPlain } from '../support/raw-client.ts';
import { forwarders, type Stage, setStage } from '../support/stage.ts';

const another = (upstream: number): string[] => [
  '--listen',
  '127.0.0.1:0',
  '--upstream',
  `http://127.0.0.1:${upstream}`,
];
const get = (path = '/', host = 'localhost'): string => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
const named =
  (name: string): RequestListener =>
  (request, response) =>
    response.end(`${name} ${request.headers['x-forwarded-port']} ${request.headers.host}`);

async function ask(port: number, path?: string, host?: string): Promise<string> {
  const client = await connect({ port });
  client.send(get(path, host));
  const { status, body } = await client.readResponse();
  client.end();
  await client.closed;
  return `${status} ${body}`;
}

/** A sidecar before two apps, `one` and `two`. */
async function begin(t: TestContext, args: string[] = []) {
  const stage = await setStage(t);
  const [one, two] = [await startApp(t, named('one')), await startApp(t, named('two'))];
  const sidecar = await stage.start({ upstream: one.port, args: [...another(two.port), ...args] });
  const [first = 0, second = 0] = sidecar.ports;
  return { stage, one, two, sidecar, first, second };
}

describe('each port leads to its app', () => {
  for (const forwarder of forwarders) {
    test(`over HTTP/1.1 and HTTP/2, and X-Forwarded-Port is the one that the client named (${forwarder})`, async (t) => {
      const { stage, sidecar, first, second } = await begin(t, ['--forwarder', forwarder]);
      for (const [port, name] of [[first, 'one'] as const, [second, 'two'] as const]) {
        assert.equal(await ask(port), `200 ${name} 443 localhost`);
        assert.equal(await ask(port, '/', 'app.test:9090'), `200 ${name} 9090 app.test:9090`);
        const client = await openH2Client(port, stage.authority.pem);
        const { body } = await client.request({});
        assert.equal(body.toString(), `${name} ${port} localhost:${port}`);
        client.close();
      }
      await endsWell(sidecar);
      const requests = sidecar.logs.filter(({ msg }) => msg === 'request');
      assert.deepEqual(
        requests.map(({ port, protocol }) => [port, protocol]),
        [first, second].flatMap((port) => [
          [port, 'http/1.1'],
          [port, 'http/1.1'],
          [port, 'h2'],
        ]),
      );
    });
  }

  test('WebSockets over HTTP/1.1 and HTTP/2', async (t) => {
    const stage = await setStage(t);
    const first = await startApp(t, named('one'));
    const http = createServer(named('two'));
    const app = new WebSocketServer({ server: http });
    app.on('connection', (socket) => socket.on('message', (data) => socket.send(`two ${data}`)));
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    t.after(() => {
      for (const client of app.clients) client.terminate();
      http.close();
      http.closeAllConnections();
    });
    const args = another((http.address() as AddressInfo).port);
    const sidecar = await stage.start({ upstream: first.port, args });
    const [, port = 0] = sidecar.ports;
    const socket = new WebSocket(`wss://127.0.0.1:${port}/`, { rejectUnauthorized: false });
    await once(socket, 'open');
    socket.send('hello');
    assert.equal(String((await once(socket, 'message'))[0]), 'two hello');
    socket.terminate();
    const client = await openH2Client(port, stage.authority.pem);
    const headers = { ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/', 'sec-websocket-version': '13' };
    const stream = client.open(headers);
    const [answer] = (await once(stream, 'response')) as [Record<string, unknown>];
    assert.equal(answer[':status'], 200);
    client.close();
  });

  test('gRPC, over h2c that the port is asked to speak or that it finds by itself', async (t) => {
    const stage = await setStage(t);
    const first = await startApp(t, named('one'));
    const app = await openGrpcApp();
    t.after(() => app.close());
    for (const upstream of [`http://127.0.0.1:${app.port}`, `h2c://127.0.0.1:${app.port}`]) {
      const args = ['--listen', '127.0.0.1:0', '--upstream', upstream];
      const sidecar = await stage.start({ upstream: first.port, args });
      const client = calls(openGrpcClient(sidecar.ports[1] ?? 0, stage.authority.pem));
      const { answer } = await client.unary('Unary', message({ echo: true }, Buffer.from('two')));
      assert.equal(answer?.toString(), 'two');
      client.close();
      assert.equal(await ask(sidecar.port), '200 one 443 localhost');
      await endsWell(sidecar);
    }
  });

  test('one app stands behind all ports where one is named', async (t) => {
    const stage = await setStage(t);
    const app = await startApp(t, named('app'));
    const sidecar = await stage.start({ upstream: app.port, args: ['--listen', '127.0.0.1:0'] });
    assert.equal(new Set(sidecar.ports).size, 2);
    for (const port of sidecar.ports) assert.equal(await ask(port), '200 app 443 localhost');
    assert.equal((await askAdmin(sidecar, '/readyz')).body, 'ok sidecar: ready\nok app: accepts connections\n');
    const { app: seen } = JSON.parse((await askAdmin(sidecar, '/status')).body) as { app: unknown };
    assert.deepEqual(seen, { upstream: `127.0.0.1:${app.port}`, accepts: true });
  });

  test('where there is one port, no line names it', async (t) => {
    const stage = await setStage(t);
    const app = await startApp(t, named('app'));
    const sidecar = await stage.start({ upstream: app.port });
    await ask(sidecar.port);
    assert.ok(!('port' in (await sidecar.waitForLog('request'))));
  });
});

describe('what is of all ports together', () => {
  test('readiness: an app that is down makes the Pod unready, and is named', async (t) => {
    const stage = await setStage(t);
    const one = await startApp(t, named('one'));
    const down = await unusedPort();
    const sidecar = await stage.start({ upstream: one.port, args: another(down) });
    const { status, body } = await askAdmin(sidecar, '/readyz');
    assert.equal(status, 503);
    const [up, other] = [`127.0.0.1:${one.port}`, `127.0.0.1:${down}`];
    assert.equal(
      body,
      `ok sidecar: ready\nok app ${up}: accepts connections\nfailed app ${other}: does not accept connections\n`,
    );
    const { app } = JSON.parse((await askAdmin(sidecar, '/status')).body) as { app: unknown };
    const upstreams = [
      { upstream: up, accepts: true },
      { upstream: other, accepts: false },
    ];
    assert.deepEqual(app, { accepts: false, upstreams });
    assert.equal((await readMetrics(sidecar)).sum('app_up'), 0);
    assert.match(await ask(sidecar.ports[0] ?? 0), /^200 one/);
    assert.match(await ask(sidecar.ports[1] ?? 0), /^502 502 upstream_refused/);
    await startApp(t, named('two'), down);
    await eventually(async () => (await askAdmin(sidecar, '/readyz')).status === 200, { what: 'both apps to be up' });
    assert.equal((await readMetrics(sidecar)).sum('app_up'), 1);
    const { upstream } = await sidecar.waitForLog('the app accepts connections again');
    assert.equal(upstream, other);
  });

  test('metrics, and the log line that tells what is served', async (t) => {
    const { one, two, sidecar, first, second } = await begin(t);
    await Promise.all([ask(first), ask(second), ask(second)]);
    assert.equal((await readMetrics(sidecar)).sum('requests_total', { code: '200' }), 3);
    const { listen, upstream } = await sidecar.waitForLog('serving');
    assert.deepEqual(listen, [
      { address: '127.0.0.1', port: first },
      { address: '127.0.0.1', port: second },
    ]);
    assert.deepEqual(upstream, [`127.0.0.1:${one.port}`, `127.0.0.1:${two.port}`]);
  });

  test('the connections to an app that stands behind several of them; another app has its own', async (t) => {
    const held = await startHeldApp(t);
    const stage = await setStage(t);
    const other = await startApp(t, named('two'));
    const address = `http://127.0.0.1:${held.port}`;
    const args = [
      ...['--listen', '127.0.0.1:0', '--upstream', address, ...another(other.port)],
      ...['--upstream-max-connections', '1', '--upstream-connect-timeout', '300ms'],
    ];
    const sidecar = await stage.start({ upstream: held.port, args });
    const [first = 0, second = 0, third = 0] = sidecar.ports;
    const client = await connect({ port: first });
    client.send(get());
    const { response } = await held.waitFor(1);
    assert.match(await ask(second, '/now'), /^503 503 upstream_busy/);
    assert.match(await ask(third), /^200 two/);
    response.end('ok');
    assert.equal((await client.readResponse()).status, 200);
    assert.equal(await ask(second, '/now'), '200 now');
    client.end();
  });

  test('the limit of connections', async (t) => {
    const held = await startHeldApp(t);
    const stage = await setStage(t);
    const limit = ['--max-connections', '3'];
    const sidecar = await stage.start({ upstream: held.port, args: ['--listen', '127.0.0.1:0', ...limit] });
    const [first = 0, second = 0] = sidecar.ports;
    const clients = await Promise.all([first, first, first].map((port) => connect({ port })));
    for (const client of clients) client.send(get());
    await held.waitFor(3);
    for (const port of [first, second]) {
      const refused = await connectPlain({ port });
      await refused.closed;
      assert.equal(refused.received.length, 0);
    }
    assert.equal((await readMetrics(sidecar)).sum('connections_rejected_total', { reason: 'max_connections' }), 2);
    for (const { response } of held.kept) response.end('ok');
    for (const client of clients) {
      await client.readResponse();
      client.end();
      await client.closed;
    }
    const [late] = await eventually(
      async () => {
        const client = await connect({ port: second }).catch(() => undefined);
        return client && [client];
      },
      { what: 'a free connection' },
    );
    late.destroy();
  });

  test('certificates: a new pair is shown on every port, and a session goes on at another port', async (t) => {
    const { stage, sidecar, first, second } = await begin(t);
    const renewed = await stage.issue();
    await stage.volume.write(stage.files(renewed));
    await sidecar.waitForLog('certificate reloaded');
    const serials = await Promise.all([serialAt(first), serialAt(second)]);
    assert.equal(serials[0], serials[1]);
    const client = await connect({ port: first });
    const ticket = once(client.socket, 'session') as Promise<[Buffer]>;
    client.send(get());
    await client.readResponse();
    const [session] = await ticket;
    client.destroy();
    const again = await connect({ port: second, session });
    assert.equal(again.socket.isSessionReused(), true);
    again.destroy();
  });

  test('the drain: no port accepts, and what is in flight on each finishes', async (t) => {
    const held = await startHeldApp(t);
    const stage = await setStage(t);
    const sidecar = await stage.start({ upstream: held.port, args: ['--listen', '127.0.0.1:0'] });
    const clients = await Promise.all(sidecar.ports.map((port) => connect({ port })));
    for (const client of clients) client.send(get());
    await held.waitFor(2);
    sidecar.kill('SIGTERM');
    for (const port of sidecar.ports) await eventually(() => refuses(port), { what: 'new connections to be refused' });
    for (const { response } of held.kept) response.end('whole');
    for (const client of clients) assert.equal((await client.readResponse()).body.toString(), 'whole');
    await endsWell(sidecar);
  });

  test('the drain delay: it is kept while one app is left to serve', async (t) => {
    const stage = await setStage(t);
    const two = await startApp(t, named('two'));
    const args = [...another(two.port), '--drain-delay', '1s'];
    const sidecar = await stage.start({ upstream: await unusedPort(), args });
    sidecar.kill('SIGTERM');
    await sidecar.waitForLog(({ state }) => state === 'draining');
    assert.match(await ask(sidecar.ports[1] ?? 0), /^200 two/);
    await endsWell(sidecar);
  });
});

describe('check', () => {
  const ports = async (stage: Stage, listen: readonly number[], ...upstream: number[]) => {
    const pair = ['--cert', stage.volume.path('tls.crt'), '--key', stage.volume.path('tls.key'), '--admin', 'off'];
    const args = [
      ...listen.flatMap((port) => ['--listen', `127.0.0.1:${port}`]),
      ...upstream.flatMap((port) => ['--upstream', `http://127.0.0.1:${port}`]),
    ];
    return runToExit(['check', ...pair, ...args]);
  };

  test('looks at every port and every app', async (t) => {
    const stage = await setStage(t);
    const [one, down] = [await startApp(t, named('one')), await unusedPort()];
    const listen = [await unusedPort(), await unusedPort()];
    const { code, stdout } = await ports(stage, listen, one.port, down);
    assert.equal(code, 0, stdout);
    for (const port of listen) assert.match(stdout, new RegExp(`^ok +--listen: port ${port} is free$`, 'm'));
    assert.match(stdout, new RegExp(`^ok +the app accepts connections on 127.0.0.1:${one.port}$`, 'm'));
    assert.match(stdout, new RegExp(`^warning +the app does not accept connections on 127.0.0.1:${down} yet`, 'm'));
  });

  test('names the one port that is taken', async (t) => {
    const stage = await setStage(t);
    const one = await startApp(t, named('one'));
    const { code, stdout } = await ports(stage, [await unusedPort(), one.port], await unusedPort());
    assert.equal(code, 1);
    assert.equal(stdout.match(/^failed/gm)?.length, 1);
    assert.match(stdout, new RegExp(`^failed +--listen: cannot listen on 127.0.0.1:${one.port}: it is in use`, 'm'));
  });
});

async function serialAt(port: number): Promise<string> {
  const client = await connect({ port });
  const { serialNumber } = client.socket.getPeerCertificate();
  client.destroy();
  return serialNumber;
}

async function refuses(port: number): Promise<boolean> {
  try {
    (await connectPlain({ port })).destroy();
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
  }
}
