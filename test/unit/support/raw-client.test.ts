import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import { createAuthority } from '../../../certs/authority.ts';
import { eventually } from '../../support/poll.ts';
import { connect, connectPlain } from '../../support/raw-client.ts';
import { valuesOf } from '../../support/response.ts';

let authorityPem: string;
let secureContext: SecureContext;
before(async () => {
  const authority = await createAuthority();
  const issued = await authority.issue({ dns: ['localhost'] });
  authorityPem = authority.pem;
  secureContext = createSecureContext({ cert: issued.cert, key: issued.key });
});

type Peer = { tls: TLSSocket; tcp: Socket };

/** A TLS server that runs `script` once the client has sent something. */
async function serve(script: (peer: Peer) => void | Promise<void>): Promise<number> {
  const server = createServer((tcp) => {
    const tls = new TLSSocket(tcp, { isServer: true, secureContext, ALPNProtocols: ['http/1.1'] });
    tcp.on('error', () => {});
    tls.on('error', () => {});
    tls.once('data', () => void script({ tls, tcp }));
  });
  after(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function exchange(...parts: string[]): Promise<Awaited<ReturnType<typeof connect>>> {
  const port = await serve(async ({ tls }) => {
    for (const part of parts) {
      tls.write(part, 'latin1');
      await setImmediate();
    }
    tls.end();
  });
  const client = await connect({ port });
  client.send('GET / HTTP/1.1\r\n\r\n');
  return client;
}

test('a response with a length, byte by byte, keeps its fields as they came', async () => {
  const text = 'HTTP/1.1 404 Not  Found\r\nX-A:  1 \r\nx-a: 2\r\nContent-Length: 5\r\n\r\nhello';
  const client = await exchange(...text);
  const answer = await client.readResponse();
  assert.equal(answer.status, 404);
  assert.equal(answer.reason, 'Not  Found');
  assert.deepEqual(answer.headers, ['X-A', '1', 'x-a', '2', 'Content-Length', '5']);
  assert.deepEqual(valuesOf(answer.headers, 'X-a'), ['1', '2']);
  assert.equal(answer.headText, text.slice(0, text.indexOf('\r\n\r\n')));
  assert.equal(answer.body.toString(), 'hello');
  assert.deepEqual([answer.framing, answer.complete], ['length', true]);
  assert.equal(client.received.toString('latin1'), text);
  assert.deepEqual(await client.closed, { hadError: false });
});

test('a chunked response, byte by byte, with extensions and trailers', async () => {
  const client = await exchange(
    ...'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a="b"\r\nhello\r\nA\r\n, world\r\n!\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n',
  );
  const answer = await client.readResponse();
  assert.equal(answer.body.toString(), 'hello, world\r\n!');
  assert.deepEqual(answer.trailers, ['X-Sum', '1', 'x-sum', '2']);
  assert.deepEqual([answer.framing, answer.complete, client.unread.length], ['chunked', true, 0]);
});

test('informational answers come first, pipelined answers one by one', async () => {
  const client = await exchange(
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na',
    'HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200\r\nContent-Length: 9\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n',
  );
  const first = await client.readResponse();
  assert.deepEqual(first.informational, [
    { status: 100, headers: [] },
    { status: 103, headers: ['Link', '</a>'] },
  ]);
  assert.equal(first.body.toString(), 'a');
  assert.equal((await client.readResponse()).status, 204);
  const third = await client.readResponse({ head: true });
  assert.deepEqual([third.status, third.reason, third.framing, third.body.length], [200, '', 'none', 0]);
  assert.equal((await client.readResponse()).status, 304);
});

test('after a 101 the other bytes are unread', async () => {
  const client = await exchange('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nraw');
  assert.equal((await client.readResponse()).status, 101);
  await client.waitFor('raw');
  assert.equal(client.unread.toString(), 'raw');
});

test('a body without a length runs to the end', async () => {
  const client = await exchange('HTTP/1.0 200 OK\r\n\r\n', 'one', 'two');
  const answer = await client.readResponse();
  assert.deepEqual([answer.body.toString(), answer.framing, answer.complete], ['onetwo', 'close', true]);
});

for (const [name, text, body] of [
  ['length', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello', 'hello'],
  ['chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nff\r\nwor', 'hellowor'],
  ['last chunk missing', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n', 'hello'],
  ['trailers', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n', 'hello'],
] as const) {
  test(`a cut body is not complete: ${name}`, async () => {
    const answer = await (await exchange(text)).readResponse();
    assert.equal(answer.body.toString(), body);
    assert.equal(answer.complete, false);
  });
}

test('an RST cuts a body that runs to the end', async () => {
  const port = await serve(({ tls, tcp }) => {
    tls.once('data', () => tcp.resetAndDestroy());
    tls.write('HTTP/1.0 200 OK\r\n\r\npart');
  });
  const client = await connect({ port });
  client.send('1');
  await client.waitFor('part');
  client.send('2');
  const answer = await client.readResponse();
  assert.deepEqual([answer.body.toString(), answer.complete], ['part', false]);
  assert.deepEqual(await client.closed, { hadError: true, code: 'ECONNRESET' });
});

test('no head, half a head and a head that is none are rejected, with what came', async () => {
  await assert.rejects(
    (await exchange('')).readResponse(),
    /ended before the end of a response head; received 0 bytes/,
  );
  await assert.rejects((await exchange('HTTP/1.1 200 OK\r\nA: b')).readResponse(), /ended before .*A: b/);
  await assert.rejects((await exchange('HTTP/1.1 2000 OK\r\n\r\n')).readResponse(), /not a status line/);
  await assert.rejects((await exchange('HTTP/1.1 200 OK\r\nbad\r\n\r\n')).readResponse(), /not a field line/);
  const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
  await assert.rejects((await exchange(`${chunked}-5\r\nhello\r\n`)).readResponse(), /not a chunk size/);
  await assert.rejects((await exchange(`${chunked}4\r\nhello\r\n0\r\n\r\n`)).readResponse(), /no CRLF after a chunk/);
});

test('waiting ends at its deadline', async () => {
  const port = await serve(({ tls }) => void tls.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe'));
  const client = await connect({ port });
  client.send('x');
  await assert.rejects(client.readResponse({ deadlineMs: 50 }), /gave up waiting for a body of 5 bytes after \d+ ms/);
  await assert.rejects(
    client.waitFor(/never/, 50),
    /gave up waiting for a match of \/never\/ after 50 ms; received 40 bytes/,
  );
  client.destroy();
  assert.deepEqual(await client.closed, { hadError: false });
});

test('a large body comes whole', async () => {
  const size = 20 * 1024 * 1024;
  const port = await serve(({ tls }) => {
    tls.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
    tls.end(Buffer.alloc(size, 'x'));
  });
  const client = await connect({ port });
  client.send('x');
  const answer = await client.readResponse();
  assert.ok(answer.complete && answer.body.equals(Buffer.alloc(size, 'x')));
  client.destroy();
});

test('reset sends an RST', async () => {
  const seen: string[] = [];
  const port = await serve(({ tls, tcp }) => {
    tcp.on('error', (error: NodeJS.ErrnoException) => seen.push(error.code ?? error.message));
    tls.on('error', (error: NodeJS.ErrnoException) => seen.push(error.code ?? error.message));
    tls.on('close', () => seen.push('close'));
    tls.write('ready');
  });
  const client = await connect({ port });
  client.send('x');
  await client.waitFor('ready');
  client.reset();
  await client.closed;
  await eventually(() => seen.includes('close'), { what: "the close of the server's connection" });
  assert.ok(seen.includes('ECONNRESET'), `the server saw ${seen.join(', ')}`);
});

test('a failed handshake rejects with its code; trust is checked when asked for', async () => {
  const port = await serve(({ tls }) => void tls.end());
  await assert.rejects(connect({ port, alpn: ['nonsense'] }), { code: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL' });
  await assert.rejects(connect({ port, rejectUnauthorized: true }), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
  const client = await connect({ port, rejectUnauthorized: true, ca: authorityPem, alpn: ['http/1.1'] });
  assert.equal(client.socket.authorized, true);
  assert.equal(client.socket.alpnProtocol, 'http/1.1');
  client.destroy();
});

test('a plain client speaks without TLS', async () => {
  const server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = await connectPlain({ port: (server.address() as AddressInfo).port });
  assert.equal((await client.readResponse()).status, 400);
  assert.deepEqual(await client.closed, { hadError: false });
  server.close();
});
