// Questions to the app over the loopback, with real servers of every kind: what counts as an answer, and that each has an end.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createH2Server, type ServerHttp2Stream } from 'node:http2';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { createAuthority } from '../../../../certs/authority.ts';
import { askApp } from '../../../../src/admin/probes/ask.ts';
import type { Verdict } from '../../../../src/admin/probes/verdict.ts';
import { parseProbe } from '../../../../src/config/probe.ts';
import { startApp, unusedPort } from '../../../support/app.ts';
import { NOT_SERVING, openHealthApp } from '../../../support/health-app.ts';
import { needs } from '../../../support/needs.ts';
import { eventually } from '../../../support/poll.ts';

const PATIENT_MS = 20_000;
const ask = (text: string, timeoutMs = PATIENT_MS): Promise<Verdict> => askApp(parseProbe(text), timeoutMs);
const statusOf = async (text: string): Promise<number> => (await ask(text)).status;

async function listen(t: TestContext, server: Server | TcpServer, host = '127.0.0.1', port = 0): Promise<number> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('error', () => {}).on('close', () => open.delete(socket));
  });
  server.listen(port, host);
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

async function tcp(t: TestContext, onConnection: (socket: Socket) => void): Promise<number> {
  return listen(t, createTcpServer(onConnection));
}

async function https(t: TestContext, listener: RequestListener): Promise<{ port: number; names: unknown[] }> {
  const { chain, key } = await (await createAuthority()).issue({ dns: ['elsewhere.example'] });
  const server = createTlsServer({ cert: chain, key }, listener);
  const names: unknown[] = [];
  server.on('secureConnection', ({ servername }) => names.push(servername));
  return { port: await listen(t, server as unknown as TcpServer), names };
}

describe('an http probe', () => {
  test("passes the app's status on, by the rule of the kubelet", async (t) => {
    const app = await startApp(t, ({ url }, response) => response.writeHead(Number(url?.slice(1))).end());
    for (const status of [200, 201, 204, 299, 400, 404, 500, 503, 599])
      assert.equal(await statusOf(`http:${app.port}/${status}`), status);
    for (const status of [300, 304, 399]) assert.equal(await statusOf(`http:${app.port}/${status}`), 200);
    // A status that HTTP does not have would be no success to the kubelet.
    for (const status of [600, 999]) assert.equal(await statusOf(`http:${app.port}/${status}`), 502);
  });

  test('asks with one GET as the kubelet does, and closes', async (t) => {
    const seen: string[][] = [];
    const app = await startApp(t, ({ method = '', url = '', rawHeaders }, response) => {
      seen.push([method, url, ...rawHeaders]);
      response.end();
    });
    assert.equal(await statusOf(`http:${app.port}/a?b=%20c`), 200);
    assert.equal(await statusOf(`http:${app.port};host=shop.example;X-A=1;X-A=2;Accept=;user-agent=me`), 200);
    const asked = ['Host', `localhost:${app.port}`, 'User-Agent', 'kube-probe/tls-sidecar', 'Accept', '*/*'];
    const close = ['Connection', 'close'];
    assert.deepEqual(seen, [
      ['GET', '/a?b=%20c', ...asked, ...close],
      ['GET', '/', 'host', 'shop.example', 'X-A', '1', 'X-A', '2', 'user-agent', 'me', ...close],
    ]);
    await eventually(() => new Promise<boolean>((resolve) => app.getConnections((_, count) => resolve(count === 0))), {
      what: 'all connections to be closed',
    });
  });

  test('finds an app that listens on ::1 only', async (t) => {
    if (!needs(t, 'ipv6')) return;
    const port = await listen(
      t,
      createServer((_, response) => response.end()),
      '::1',
    );
    assert.equal(await statusOf(`http:${port}/`), 200);
  });

  test('follows redirects to the app itself, and takes those to other hosts for success', async (t) => {
    const secure = await https(t, (_, response) => response.writeHead(403).end());
    const seen: string[] = [];
    const app = await startApp(t, ({ url = '', headers }, response) => {
      seen.push(`${headers.host} ${url}`);
      const to: Record<string, string> = {
        '/relative': 'bad?x=1',
        '/absolute': `http://localhost:${app.port}/bad`,
        '/secure': `https://localhost:${secure.port}/`,
        '/elsewhere': 'https://elsewhere.example/',
        '/address': `http://127.0.0.1:${app.port}/bad`,
        '/empty': '',
        '/loop': '/loop',
        '/mail': 'mailto:a@b.example',
        '/broken': 'http://[/',
      };
      const location = to[url];
      if (location === undefined) response.writeHead(500).end();
      else response.writeHead(302, { location }).end();
    });
    const from = (path: string): Promise<number> => statusOf(`http:${app.port}${path}`);
    assert.equal(await from('/relative'), 500);
    assert.equal(seen.at(-1), `localhost:${app.port} /bad?x=1`);
    assert.equal(await from('/absolute'), 500);
    assert.equal(await from('/secure'), 403);
    assert.equal(await from('/elsewhere'), 200);
    assert.equal(await from('/address'), 200);
    assert.equal(await from('/mail'), 502);
    assert.equal(await from('/broken'), 502);
    seen.length = 0;
    const loop = await ask(`http:${app.port}/loop`);
    assert.deepEqual([loop.status, seen.length], [502, 10]);
    assert.match(loop.text, /redirected 10 times/);
    seen.length = 0;
    assert.equal(await from('/relative;Host=shop.example'), 500);
    assert.equal(await from('/absolute;Host=shop.example'), 500);
    assert.deepEqual(seen, [
      'shop.example /relative',
      'shop.example /bad?x=1',
      'shop.example /absolute',
      'shop.example /bad',
    ]);
  });

  test('counts a redirect that leads nowhere as the status that it is', async (t) => {
    const app = await startApp(t, (_, response) => response.writeHead(302).end());
    assert.equal(await statusOf(`http:${app.port}/`), 200);
  });

  test('reads of a huge answer its beginning, and of none that stops its end', async (t) => {
    let sent = 0;
    const app = await startApp(t, ({ url }, response) => {
      if (url !== '/endless') {
        response.writeHead(200, { 'Content-Length': 100 });
        return void (url === '/cut' ? response.write('x', () => response.destroy()) : response.write('x'));
      }
      const more = (): void => {
        for (sent += 65_536; response.write(Buffer.alloc(65_536)); sent += 65_536) if (response.destroyed) return;
        response.once('drain', more);
      };
      more();
    });
    assert.equal(await statusOf(`http:${app.port}/endless`), 200);
    assert.ok(sent < 64 << 20, `${sent} bytes were sent`);
    assert.equal(await statusOf(`http:${app.port}/cut`), 502);
    assert.equal((await ask(`http:${app.port}/stopped`, 200)).status, 504);
  });

  test('is failed by what is no answer', async (t) => {
    const { status, text } = await ask(`http:${await unusedPort()}/`);
    assert.equal(status, 502);
    assert.match(text, /ECONNREFUSED/);
    for (const bytes of [
      '',
      'SSH-2.0-x\r\n',
      'HTTP/1.1 200 OK\r\nX: 1',
      `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(1 << 20)}`,
    ])
      assert.equal(
        await statusOf(`http:${await tcp(t, (socket) => void socket.end(bytes))}/`),
        502,
        bytes.slice(0, 20),
      );
    const upgrade = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n';
    assert.equal(await statusOf(`http:${await tcp(t, (socket) => void socket.write(upgrade))}/`), 502);
  });

  test('is failed by an app that is silent, and leaves no connection open', async (t) => {
    const sockets: Socket[] = [];
    const port = await tcp(t, (socket) => void sockets.push(socket.resume()));
    for (const kind of ['http', 'https', 'grpc']) {
      const { status, text } = await ask(`${kind}:${port}`, 200);
      assert.deepEqual([kind, status, text], [kind, 504, 'the app gave no whole answer within 0.2 s']);
    }
    assert.equal(sockets.length, 3);
    await eventually(() => sockets.every(({ closed }) => closed), { what: 'the end of all connections' });
  });

  test('waits for an app that is slow', async (t) => {
    const app = await startApp(t, (_, response) => {
      setTimeout(() => response.writeHead(503).end(), 300);
    });
    assert.equal(await statusOf(`http:${app.port}/`), 503);
  });
});

describe('an https probe', () => {
  test('verifies nothing, sends no name, and passes the status on', async (t) => {
    const app = await https(t, ({ url }, response) => response.writeHead(url === '/ok' ? 200 : 418).end());
    assert.equal(await statusOf(`https:${app.port}/ok`), 200);
    assert.equal(await statusOf(`https:${app.port}`), 418);
    assert.deepEqual(app.names, [false, false]);
  });

  test('is failed by an app that speaks no TLS', async (t) => {
    const app = await startApp(t, (_, response) => response.end());
    assert.equal(await statusOf(`https:${app.port}/`), 502);
  });
});

describe('a tcp probe', () => {
  test('says whether the app accepts connections, and says nothing to it', async (t) => {
    const heard: string[] = [];
    let ended = 0;
    const port = await tcp(t, (socket) => {
      socket.on('data', (chunk) => heard.push(String(chunk)));
      socket.on('close', () => ended++);
    });
    assert.deepEqual(await ask(`tcp:${port}`), { status: 200, text: 'ok' });
    assert.equal(await statusOf(`tcp:${await unusedPort()}`), 502);
    await eventually(() => ended === 1, { what: 'the end of the connection' });
    assert.deepEqual(heard, []);
  });
});

describe('a grpc probe', () => {
  test('asks for the health of the server, or of a service', async (t) => {
    const app = await openHealthApp();
    t.after(() => app.close());
    app.services.set('shop.v1.Orders', NOT_SERVING).set('late', 0).set('gone', 3);
    assert.deepEqual(await ask(`grpc:${app.port}`), { status: 200, text: 'ok' });
    for (const [service, said] of [
      ['shop.v1.Orders', 'NOT_SERVING'],
      ['late', 'UNKNOWN'],
      ['gone', 'SERVICE_UNKNOWN'],
    ])
      assert.deepEqual(await ask(`grpc:${app.port}/${service}`), { status: 503, text: `the app answered ${said}` });
    const unknown = await ask(`grpc:${app.port}/nobody`);
    assert.deepEqual([unknown.status, /grpc-status 5/.test(unknown.text)], [502, true]);
    app.services.set('shop.v1.Orders', 1);
    assert.equal(await statusOf(`grpc:${app.port}/shop.v1.Orders`), 200);
    const long = 'x'.repeat(200);
    assert.equal((await ask(`grpc:${app.port}/${long}`)).status, 502);
    assert.deepEqual(app.asked.map(({ service }) => service).slice(0, -1), [
      '',
      'shop.v1.Orders',
      'late',
      'gone',
      'nobody',
      'shop.v1.Orders',
    ]);
    assert.equal(app.asked[0]?.agent, 'kube-probe/tls-sidecar');
  });

  for (const [what, status, text, serve] of [
    [
      'of which nothing is passed on',
      502,
      'the app answered grpc-status that is no number',
      (stream) => stream.respond({ ':status': 200, 'grpc-status': 'secret' }, { endStream: true }),
    ],
    [
      'that is no gRPC',
      502,
      'the app answered HTTP status 404 without grpc-status',
      (stream) => stream.respond({ ':status': 404 }, { endStream: true }),
    ],
    [
      'that is larger than a health check',
      502,
      'the app answered with more than a health check has',
      (stream) => {
        stream.respond({ ':status': 200 });
        stream.end(Buffer.alloc(100_000));
      },
    ],
    ['that is reset', 502, 'the app ended the connection or the call', (stream) => stream.close(2)],
    [
      'that is compressed',
      503,
      'the app answered an unknown status',
      (stream) => {
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        stream.respond({ ':status': 200 }, { waitForTrailers: true });
        stream.end(Buffer.from([1, 0, 0, 0, 2, 8, 1]));
      },
    ],
  ] as readonly (readonly [string, number, string, (stream: ServerHttp2Stream) => void])[]) {
    test(`is failed by an answer ${what}`, async (t) => {
      const server = createH2Server();
      server.on('stream', (stream) => {
        stream.on('error', () => {});
        serve(stream);
      });
      const port = await listen(t, server as unknown as TcpServer);
      assert.deepEqual(await ask(`grpc:${port}`), { status, text });
    });
  }

  test('is failed by an app without health checks, and by one without gRPC', async (t) => {
    const other = await openHealthApp(false);
    t.after(() => other.close());
    const without = await ask(`grpc:${other.port}`);
    assert.equal(without.status, 502);
    assert.match(without.text, /grpc-status 12: it has no grpc\.health\.v1\.Health/);
    const plain = await startApp(t, (_, response) => response.end());
    assert.match(
      (await ask(`grpc:${plain.port}`)).text,
      /could not be asked|does not speak HTTP\/2|ended the connection/,
    );
    assert.equal(await statusOf(`grpc:${plain.port}`), 502);
    assert.equal(await statusOf(`grpc:${await unusedPort()}`), 502);
    assert.equal(await statusOf(`grpc:${await tcp(t, (socket) => void socket.destroy())}`), 502);
  });
});
