// The name in a ClientHello: of real ones, as node:tls and openssl write them; in pieces, in several records, cut off and
// changed by chance.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { type ConnectionOptions, connect } from 'node:tls';
import { serverNameOf } from '../../../../src/listener/accept/client-hello.ts';
import { needs } from '../../../support/needs.ts';

/** The first bytes that a client of ours sends, all of them. */
async function firstBytes(begin: (port: number) => void): Promise<Buffer> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  begin((server.address() as AddressInfo).port);
  const [socket] = (await once(server, 'connection')) as [Socket];
  let bytes: Buffer = Buffer.alloc(0);
  while (bytes.length < 5 || bytes.length < 5 + bytes.readUInt16BE(3)) {
    const [piece] = (await once(socket, 'data')) as [Buffer];
    bytes = Buffer.concat([bytes, piece]);
  }
  socket.on('error', () => {}).destroy();
  server.close();
  return bytes;
}

const ofNode = (options: ConnectionOptions): Promise<Buffer> =>
  firstBytes((port) => void connect({ port, host: '127.0.0.1', ...options }).on('error', () => {}));

const ofOpenssl = (...args: string[]): Promise<Buffer> =>
  firstBytes((port) => {
    execFile('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...args], { timeout: 10_000 }, () => {});
  });

/** The same handshake message in records of so many bytes each. */
function inRecords(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const part = message.subarray(at, at + size);
    records.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part);
  }
  return Buffer.concat(records);
}

/** A ClientHello with these extensions, after a session id and one suite. */
function hello(...extensions: Buffer[]): Buffer {
  const all = Buffer.concat(extensions);
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32, 7),
    Buffer.from([32]),
    Buffer.alloc(32, 8),
    Buffer.from([0, 2, 0x13, 1, 1, 0, all.length >> 8, all.length & 255]),
    all,
  ]);
  const message = Buffer.concat([Buffer.from([1, 0, body.length >> 8, body.length & 255]), body]);
  return Buffer.concat([Buffer.from([22, 3, 1, message.length >> 8, message.length & 255]), message]);
}

function extension(type: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type >> 8, type & 255, content.length >> 8, content.length & 255]), content]);
}

function names(...list: [type: number, name: string][]): Buffer {
  const entries = list.map(([type, name]) => {
    return Buffer.concat([Buffer.from([type, name.length >> 8, name.length & 255]), Buffer.from(name, 'latin1')]);
  });
  const all = Buffer.concat(entries);
  return extension(0, Buffer.concat([Buffer.from([all.length >> 8, all.length & 255]), all]));
}

describe('of real clients', () => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    test(`node:tls, ${maxVersion}`, async () => {
      assert.equal(serverNameOf(await ofNode({ servername: 'a.example', maxVersion })), 'a.example');
      assert.equal(serverNameOf(await ofNode({ servername: 'A.Example', maxVersion })), 'A.Example');
      assert.equal(serverNameOf(await ofNode({ maxVersion })), '', 'a client by address sends none');
    });
  }

  test('openssl s_client', async (t) => {
    if (!needs(t, 'openssl')) return;
    for (const version of ['-tls1_2', '-tls1_3']) {
      const alpn = ['-alpn', 'h2,http/1.1', '-status'];
      assert.equal(serverNameOf(await ofOpenssl(version, '-servername', 'b.example', ...alpn)), 'b.example');
      assert.equal(serverNameOf(await ofOpenssl(version, '-noservername')), '');
    }
  });
});

describe('in pieces', () => {
  test('it is known with the last byte, and not before', async () => {
    const bytes = await ofNode({ servername: 'a.example', ALPNProtocols: ['h2'] });
    for (let length = 1; length < bytes.length; length++)
      assert.equal(serverNameOf(bytes.subarray(0, length)), undefined, String(length));
    assert.equal(serverNameOf(bytes), 'a.example');
    assert.equal(serverNameOf(Buffer.concat([bytes, Buffer.from([20, 3, 3, 0, 1, 1])])), 'a.example');
  });

  test('of several records', async () => {
    const bytes = await ofNode({ servername: 'a.example' });
    for (const size of [bytes.length, 300, 100, Math.ceil((bytes.length - 5) / 16)]) {
      const split = inRecords(bytes, size);
      assert.equal(serverNameOf(split), 'a.example', String(size));
      assert.equal(serverNameOf(split.subarray(0, -1)), undefined, String(size));
    }
    // The records of empty fragments that OpenSSL takes, too.
    const [first, rest] = [inRecords(bytes, 50).subarray(0, 55), inRecords(bytes, 50).subarray(55)];
    assert.equal(
      serverNameOf(Buffer.concat([first, Buffer.from([22, 3, 3, 0, 0]), rest])),
      'a.example',
      'an empty one',
    );
    // Of crumbs no more than 64 are read.
    const small = hello(names([0, 'a.example']));
    assert.equal(serverNameOf(inRecords(small, Math.ceil((small.length - 5) / 64))), 'a.example');
    assert.equal(serverNameOf(inRecords(small, 1)), '', 'crumbs');
  });

  test('of which the second record is none of a handshake, no more is awaited', () => {
    const begun = inRecords(hello(names([0, 'a.example'])), 40).subarray(0, 45);
    assert.equal(serverNameOf(Buffer.concat([begun, Buffer.from([21, 3, 3, 0, 2, 1, 0])])), '');
  });

  test('more than 16 KiB are not awaited', () => {
    const endless = Buffer.alloc(16 * 1024, 0);
    endless.set([22, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff]);
    assert.equal(serverNameOf(endless.subarray(0, -1)), undefined);
    assert.equal(serverNameOf(endless), '');
  });

  test('of a longer one the name is read where it is there, and never a part of it', () => {
    const cut = (bytes: Buffer): string | undefined => serverNameOf(bytes.subarray(0, 16 * 1024));
    const filling = extension(21, Buffer.alloc(20_000));
    assert.equal(cut(hello(names([0, 'a.example']), filling)), 'a.example');
    assert.equal(cut(hello(filling, names([0, 'a.example']))), '');
    const before = hello(extension(21, Buffer.alloc(16_000)), names([0, 'a.example']), filling);
    const at = before.indexOf('a.example');
    const pushed = extension(21, Buffer.alloc(16_000 + 16 * 1024 - at - 'a.exa'.length));
    const split = hello(pushed, names([0, 'a.example']), filling);
    assert.equal(split.indexOf('a.example'), 16 * 1024 - 'a.exa'.length);
    assert.equal(cut(split), '');
  });
});

describe('of every form', () => {
  const padding = extension(21, Buffer.alloc(300));
  const rows: [what: string, bytes: Buffer, expected: string][] = [
    ['alone', hello(names([0, 'x.example'])), 'x.example'],
    ['behind others', hello(padding, extension(10, Buffer.from([0, 2, 0, 29])), names([0, 'x.example'])), 'x.example'],
    ['before others', hello(names([0, 'x.example']), padding), 'x.example'],
    ['behind a name of another kind', hello(names([7, 'y'], [0, 'x.example'])), 'x.example'],
    ['no name in the list', hello(names()), ''],
    ['an empty name', hello(names([0, ''])), ''],
    ['an empty extension', hello(extension(0, Buffer.alloc(0))), ''],
    ['no extensions', hello(), ''],
    ['bytes beyond ASCII, which no certificate names', hello(names([0, 'ä.example\0'])), 'ä.example\0'],
    ['another message', Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0]), ''],
    ['an alert', Buffer.from([21, 3, 1, 0, 2, 1, 0]), ''],
    ['an empty ClientHello', Buffer.from([22, 3, 1, 0, 4, 1, 0, 0, 0]), ''],
  ];
  for (const [what, bytes, expected] of rows) test(what, () => assert.equal(serverNameOf(bytes), expected));
});

test('bytes changed by chance never throw, and always come to an answer', () => {
  const original = hello(extension(21, Buffer.alloc(20)), names([0, 'x.example']), extension(16, Buffer.alloc(9)));
  let state = 1;
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
  const seen = new Set<string | undefined>();
  for (let round = 0; round < 50_000; round++) {
    const bytes = Buffer.from(original);
    for (let change = random(4); change >= 0; change--) bytes[random(bytes.length)] = random(256);
    seen.add(serverNameOf(bytes.subarray(0, random(2) === 0 ? bytes.length : random(bytes.length))));
  }
  assert.ok(seen.has('x.example') && seen.has('') && seen.has(undefined));
});
