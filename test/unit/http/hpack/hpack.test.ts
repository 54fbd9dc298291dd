// HPACK against the coder of node:http2 (nghttp2), in both directions, over one connection each with tables of every size:
// what one side encodes, the other reads, whatever the lists. And what RFC 7541 says is an error, by its bytes.

import assert from 'node:assert/strict';
import { type ClientHttp2Session, connect } from 'node:http2';
import { createServer, type Server, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { HpackDecoder } from '../../../../src/http/hpack/decoder.ts';
import { HpackEncoder } from '../../../../src/http/hpack/encoder.ts';
import { decodeHuffman, encodeHuffman, huffmanLength } from '../../../../src/http/hpack/huffman.ts';
import {
  Flag,
  type Frame,
  FrameReader,
  frame,
  PREFACE,
  SETTINGS_ACK,
  settings,
  Type,
} from '../../../support/h2-frames.ts';

/** HPACK_LISTS=100000 for more. */
const LISTS = Number(process.env.HPACK_LISTS ?? 1500);
const TABLES = [0, 32, 100, 700, 4096, 65_536];

type Pair = readonly [name: string, value: string];

/** A small generator with a seed, so that a failure comes again. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}

const NAMES =
  'accept cookie x-a x-longer-name content-type etag set-cookie authorization date server via x-b vary'.split(' ');
const SIGNS = Array.from({ length: 0x5e }, (_, at) => String.fromCharCode(0x21 + at));

function randomText(next: () => number, most: number): string {
  const length = Math.floor(next() * next() * most);
  let text = '';
  for (let i = 0; i < length; i++) text += SIGNS[Math.floor(next() * SIGNS.length)];
  return text;
}

function randomList(next: () => number, values: string[]): Pair[] {
  return Array.from({ length: Math.floor(next() * 12) }, (): Pair => {
    const name = next() < 0.8 ? (NAMES[Math.floor(next() * NAMES.length)] as string) : `x-${Math.floor(next() * 1000)}`;
    if (next() < 0.5 && values.length > 0) return [name, values[Math.floor(next() * values.length)] as string];
    const value = randomText(next, next() < 0.02 ? 6000 : 60);
    values[Math.floor(next() * 200)] = value;
    return [name, value];
  }).filter(([, value]) => value !== undefined);
}

/** A server made of frames: it reads requests with our decoder and answers them with lists of our encoder. */
class Peer {
  readonly decoder = new HpackDecoder(1 << 20);
  readonly encoder = new HpackEncoder();
  readonly got: Pair[][] = [];
  answer: Pair[] = [];
  #block: Buffer[] = [];

  serve(socket: Socket): void {
    const reader = new FrameReader();
    let skip = PREFACE.length;
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      const rest = bytes.subarray(Math.min(skip, bytes.length));
      skip -= bytes.length - rest.length;
      for (const got of reader.push(Buffer.from(rest))) this.#take(socket, got);
    });
    socket.write(settings());
  }

  #take(socket: Socket, { type, flags, stream, payload }: Frame): void {
    if (type === Type.settings && !(flags & Flag.ack)) {
      for (let at = 0; at < payload.length; at += 6)
        if (payload.readUInt16BE(at) === 1) this.encoder.resize(payload.readUInt32BE(at + 2));
      socket.write(SETTINGS_ACK);
    }
    if (type !== Type.headers && type !== Type.continuation) return;
    this.#block.push(flags & Flag.priority && type === Type.headers ? payload.subarray(5) : payload);
    if (!(flags & Flag.endHeaders)) return;
    this.#answer(socket, stream, Buffer.concat(this.#block));
    this.#block = [];
  }

  #answer(socket: Socket, stream: number, block: Buffer): void {
    assert.ok(this.decoder.decode(block, 0, block.length), 'a block of nghttp2 can be read');
    this.got.push(this.decoder.fields.map(({ name, value }): Pair => [name, value]));
    const headers = this.answer.flat();
    const into = Buffer.alloc(this.encoder.prepare(headers));
    const end = this.encoder.write(into, 0, 200);
    assert.ok(end <= into.length);
    for (let at = 0; at < end; at += 16_384) {
      const last = at + 16_384 >= end ? Flag.endHeaders : 0;
      const piece = into.subarray(at, Math.min(end, at + 16_384));
      socket.write(
        frame(at === 0 ? Type.headers : Type.continuation, last | (at === 0 ? Flag.endStream : 0), stream, piece),
      );
    }
  }
}

function ask(session: ClientHttp2Session, list: readonly Pair[]): Promise<Pair[]> {
  const headers: Record<string, string | string[]> = { ':path': '/', ':authority': 'app.test' };
  for (const [name, value] of list) {
    const known = headers[name];
    headers[name] = known === undefined ? value : [known, value].flat();
  }
  return new Promise((resolve, reject) => {
    const stream = session.request(headers, { endStream: true });
    stream.on('error', reject);
    (stream as NodeJS.EventEmitter).on('response', (_fields: unknown, _flags: number, raw: string[]) => {
      const pairs: Pair[] = [];
      for (let i = 0; i < raw.length; i += 2) pairs.push([raw[i] as string, raw[i + 1] as string]);
      stream.resume();
      stream.on('close', () => resolve(pairs));
    });
  });
}

/** Node takes some fields for single, and groups others by name. */
function sendable(list: readonly Pair[]): Pair[] {
  const seen = new Set<string>();
  const single = new Set(['content-type', 'etag', 'authorization', 'date', 'server']);
  const kept = list.filter(([name]) => !single.has(name) || (!seen.has(name) && seen.add(name)));
  const names = [...new Set(kept.map(([name]) => name))];
  return names.flatMap((name) => kept.filter(([other]) => other === name));
}

describe('against node:http2, both ways', { concurrency: false }, () => {
  for (const table of TABLES) {
    test(`${LISTS} random lists, a table of ${table} bytes at the peer`, async (t) => {
      const peer = new Peer();
      const server: Server = createServer((socket) => peer.serve(socket));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as { port: number };
      const session = connect(`http://127.0.0.1:${port}`, {
        settings: { headerTableSize: table, maxHeaderListSize: 1 << 20 },
        maxHeaderListPairs: 1000,
        maxSendHeaderBlockLength: 1 << 20,
      } as object);
      t.after(() => {
        session.destroy();
        server.close();
      });
      await new Promise((resolve) => session.once('remoteSettings', resolve));
      const next = random(table + 7);
      const values: string[] = [];
      for (let round = 0; round < LISTS / TABLES.length; round++) {
        const list = sendable(randomList(next, values));
        peer.answer = randomList(next, values);
        const got = await ask(session, list);
        const sent = peer.got.pop() ?? [];
        assert.deepEqual(
          sent.filter(([name]) => !name.startsWith(':')),
          list,
        );
        assert.deepEqual(got, [[':status', '200'], ...peer.answer]);
        // Changes of the table on the way, of which the least counts, too.
        if (round % 50 === 49) {
          for (const size of [Math.floor(next() * 200), table])
            await new Promise<void>((resolve) => session.settings({ headerTableSize: size }, () => resolve()));
        }
      }
    });
  }
});

const RFC_EXAMPLE = [
  '828684418cf1e3c2e5f23a6ba0ab90f4ff',
  '828684be5886a8eb10649cbf',
  '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
];

test('the example of RFC 7541 appendix C.4', () => {
  const decoder = new HpackDecoder(10_000);
  const lists = RFC_EXAMPLE.map((hex) => {
    const block = Buffer.from(hex, 'hex');
    assert.ok(decoder.decode(block, 0, block.length));
    return decoder.fields.map(({ name, value }) => `${name}: ${value}`);
  });
  assert.deepEqual(lists[0], [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com']);
  assert.deepEqual(lists[1]?.at(-1), 'cache-control: no-cache');
  assert.deepEqual(lists[2]?.slice(2), [
    ':path: /index.html',
    ':authority: www.example.com',
    'custom-key: custom-value',
  ]);
});

describe('blocks that cannot be read', () => {
  const BROKEN: readonly (readonly [what: string, hex: string])[] = [
    ['index 0', '80'],
    ['an index above both tables', 'be'],
    ['an integer of six bytes', 'ffffffffffff0f'],
    ['an integer that does not end', 'ffff'],
    ['a text longer than its block', '40017805'],
    ['a name without a value', '400178'],
    ['a change of the size behind a field', '8220'],
    ['a size above what was announced', '3fe21f'],
    ['a Huffman text with the end of a string in it', '400178 84ffffffff'],
    ['Huffman padding of zeros', '400178 8100'],
    ['Huffman padding of a whole byte', '400178 821fff'],
  ];
  for (const [what, hex] of BROKEN) {
    test(what, () => {
      const block = Buffer.from(hex.replaceAll(' ', ''), 'hex');
      assert.equal(new HpackDecoder(10_000).decode(block, 0, block.length), false);
    });
  }

  test('20,000 random and mutated blocks: read or not, never a throw, and never more than the list may have', () => {
    const next = random(3);
    const decoder = new HpackDecoder(4096);
    for (let round = 0; round < 20_000; round++) {
      const block = Buffer.from(RFC_EXAMPLE[round % 3] as string, 'hex');
      for (let i = 0; i <= next() * 3; i++) block[Math.floor(next() * block.length)] = next() * 256;
      const bytes = next() < 0.2 ? Buffer.from(Array.from({ length: next() * 40 }, () => next() * 256)) : block;
      decoder.decode(bytes, 0, bytes.length);
      assert.ok(decoder.fields.reduce((sum, { size }) => sum + size, 0) <= 4096);
    }
  });
});

test('what is above the limit of a list is dropped, and the table is kept in step', () => {
  const decoder = new HpackDecoder(200);
  const name = '0'.repeat(100);
  const encoder = new HpackEncoder();
  const blockOf = (headers: string[]): Buffer => {
    const into = Buffer.alloc(encoder.prepare(headers));
    return into.subarray(0, encoder.write(into, 0, undefined));
  };
  const large = blockOf(['x-a', name, 'x-b', name, 'x-c', name]);
  assert.ok(decoder.decode(large, 0, large.length));
  assert.deepEqual([decoder.overflowed, decoder.fields.length], [true, 1]);
  const small = blockOf(['x-c', name]);
  assert.equal(small.length, 1, 'named by its place in the table');
  assert.ok(decoder.decode(small, 0, 1));
  assert.deepEqual([decoder.overflowed, decoder.fields[0]?.name], [false, 'x-c']);
});

test('every byte goes through the Huffman code and back', () => {
  const text = Buffer.from(Array.from({ length: 256 }, (_, at) => at)).toString('latin1');
  for (const part of [text, ...text, text.slice(0, 100), '']) {
    const into = Buffer.alloc(huffmanLength(part));
    assert.equal(encodeHuffman(part, into, 0), into.length);
    assert.equal(decodeHuffman(into, 0, into.length), part);
  }
});

test('fields of a connection are not sent, secrets are never put into a table', () => {
  const encoder = new HpackEncoder();
  const headers = ['Connection', 'close', 'TE', 'gzip', 'Keep-Alive', '1', 'Set-Cookie', 'a=1', 'Authorization', 'b'];
  const into = Buffer.alloc(encoder.prepare(headers));
  const end = encoder.write(into, 0, undefined);
  const decoder = new HpackDecoder(10_000);
  assert.ok(decoder.decode(into, 0, end));
  assert.deepEqual(
    decoder.fields.map(({ name }) => name),
    ['set-cookie', 'authorization'],
  );
  // RFC 7541 section 6.2.3, with the indices of the two names.
  assert.deepEqual([into[0], into[1]], [0x1f, 55 - 15]);
});
