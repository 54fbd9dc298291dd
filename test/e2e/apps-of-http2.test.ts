// Servers of HTTP/2 in clear text as the app, each with an engine of its own: Python's h2, Go's net/http, nghttpd, nginx and
// HAProxy. Answers, uploads of 1 MiB that come back, trailers as far as the server has any, a hundred requests at once.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { unusedPort } from '../support/app.ts';
import { startEchoApp } from '../support/echo-app.ts';
import { goPeer, PYTHON_PEER, spawnPeer, startPeer } from '../support/h2-peers.ts';
import { needs } from '../support/needs.ts';
import { openH2Client } from '../support/node-h2-client.ts';
import { PYTHON } from '../support/peers.ts';
import { eventually } from '../support/poll.ts';
import { connectPlain } from '../support/raw-client.ts';
import { setStage } from '../support/stage.ts';

const PAGE = randomBytes(100_000);
const UPLOAD = randomBytes(1 << 20);
// Go keeps of a request's trailers what was announced.
const ECHO = { ':method': 'POST', ':path': '/echo', trailer: 'x-asked' };

/** `/page` is the file `page`; what is posted to `/echo` comes back. */
type App = {
  readonly name: string;
  readonly needs: string;
  /** Of requests; nginx takes them for a protocol error (release 1.22). */
  readonly asked?: Readonly<Record<string, string>>;
  /** Of its answers. */
  readonly trailers: Readonly<Record<string, string>>;
  /** In `dir`, where the file `page` is; returns its port. */
  readonly start: (t: TestContext, dir: string) => Promise<number>;
};

const ASKED = { 'x-asked': 'by node' };
const BOTH_WAYS = { asked: ASKED, trailers: { ...ASKED, 'x-trailer': '42' } };

const APPS: readonly App[] = [
  {
    name: "Python's h2",
    needs: 'python3-h2',
    ...BOTH_WAYS,
    start: (t, dir) => startPeer(t, PYTHON, [PYTHON_PEER, 'app', join(dir, 'page')]),
  },
  {
    name: "Go's net/http",
    needs: 'go-1.24',
    ...BOTH_WAYS,
    start: async (t, dir) => startPeer(t, await goPeer(dir), ['app', join(dir, 'page')]),
  },
  {
    name: 'nghttpd',
    needs: 'nghttpd',
    asked: ASKED,
    trailers: { 'x-trailer': '42' },
    async start(t, dir) {
      const port = await unusedPort();
      spawnPeer(t, 'nghttpd', [
        ...['--no-tls', '--address=127.0.0.1', `--htdocs=${dir}`, '--echo-upload', '--trailer=x-trailer: 42'],
        `${port}`,
      ]);
      return listening(port);
    },
  },
  { name: 'nginx', needs: 'nginx', trailers: { 'x-trailer': '42' }, start: startNginx },
  { name: 'HAProxy', needs: 'haproxy', ...BOTH_WAYS, start: startHaproxy },
];

for (const app of APPS) {
  test(`${app.name} as the app`, { timeout: 120_000 }, async (t) => {
    if (!needs(t, app.needs)) return;
    const stage = await setStage(t);
    await writeFile(join(stage.dir, 'page'), PAGE);
    const sidecar = await stage.start({ upstream: `h2c://127.0.0.1:${await app.start(t, stage.dir)}` });
    const client = await openH2Client(sidecar.port, stage.authority.pem);
    t.after(() => client.close());

    const page = await client.request({ ':path': '/page' });
    assert.deepEqual([page.status, page.complete, page.body.equals(PAGE)], [200, true, true]);

    const echo = await client.request(ECHO, UPLOAD, app.asked);
    assert.deepEqual([echo.status, echo.complete, echo.body.equals(UPLOAD)], [200, true, true]);
    assert.deepEqual(Object.fromEntries(Object.entries(echo.trailers ?? {})), app.trailers);

    const all = await Promise.all(Array.from({ length: 100 }, () => client.request({ ':path': '/page' })));
    for (const { status, body } of all) assert.deepEqual([status, body.equals(PAGE)], [200, true]);
  });
}

async function listening(port: number): Promise<number> {
  await eventually(async () => (await connectPlain({ port })).destroy() === undefined, { what: 'the app' });
  return port;
}

async function startNginx(t: TestContext, dir: string): Promise<number> {
  const [port, inner] = [await unusedPort(), await startEchoApp(t, PAGE)];
  await mkdir(join(dir, 'tmp'));
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${join(dir, 'tmp', name)};`,
  );
  const config = join(dir, 'nginx.conf');
  // Without TLS, `http2` means prior knowledge. nginx passes no trailers on; these are its own.
  await writeFile(
    config,
    `daemon off; master_process off; pid ${join(dir, 'nginx.pid')}; error_log ${join(dir, 'error.log')};
     events {}
     http {
       access_log off; ${temporary.join(' ')} client_max_body_size 0; add_trailer x-trailer 42;
       server {
         listen 127.0.0.1:${port} http2; root ${dir};
         location /echo { proxy_pass http://127.0.0.1:${inner}; proxy_http_version 1.1; }
       }
     }`,
  );
  spawnPeer(t, 'nginx', ['-c', config, '-e', join(dir, 'error.log')]);
  return listening(port);
}

async function startHaproxy(t: TestContext, dir: string): Promise<number> {
  const [port, inner] = [await unusedPort(), await startEchoApp(t, PAGE)];
  const config = join(dir, 'haproxy.cfg');
  await writeFile(
    config,
    `defaults
  mode http
  timeout client 30s
  timeout connect 30s
  timeout server 30s
listen app
  bind 127.0.0.1:${port} proto h2
  server inner 127.0.0.1:${inner}
`,
  );
  spawnPeer(t, 'haproxy', ['-q', '-db', '-f', config]);
  return listening(port);
}
