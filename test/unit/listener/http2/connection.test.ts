// What a connection of HTTP/2 holds, gives back, sends first, and ends for: judged by its frames, with a clock that the
// test holds.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Exchange } from '../../../../src/exchange.ts';
import { fieldsOf } from '../../../support/h2-client.ts';
import {
  Code,
  data,
  Flag,
  frame,
  goaway,
  headerBlock,
  headers,
  literal,
  ping,
  rstStream,
  SETTINGS_ACK,
  Setting,
  settings,
  Type,
  windowUpdate,
} from '../../../support/h2-frames.ts';
import { H2Stage, HeldCarrier, turns } from '../../../support/h2-stage.ts';

const get = fieldsOf();
const post = fieldsOf({ ':method': 'POST' });
const FIRST = 65_535;

async function staged(t: { after(end: () => void): void }, values: readonly (readonly [number, number])[] = []) {
  const stage = await new H2Stage().begin(values);
  t.after(() => {
    stage.end();
    assert.deepEqual(stage.crashes, []);
  });
  return stage;
}

function answer(exchange: Exchange, body: Buffer | undefined): void {
  exchange.answer(200, 'OK', [], body?.length ?? 0);
  if (body !== undefined) exchange.write(body);
  exchange.end(undefined);
}

const upload = (id: number, bytes: number, piece = 16_000): Buffer[] => {
  const frames: Buffer[] = [];
  for (let left = bytes; left > 0; left -= piece) frames.push(data(id, Buffer.alloc(Math.min(left, piece), 'u')));
  return frames;
};

describe('bodies that come', () => {
  test('before anybody carries it, a body is held, and not a byte of its window is given back', async (t) => {
    const stage = await staged(t);
    await stage.say(headers(1, post, false), ...upload(1, FIRST));
    assert.equal(stage.windowOpened(1), 0);
    const carrier = new HeldCarrier();
    stage.exchanges[0]?.carry(carrier);
    await turns();
    assert.equal(carrier.bytes, FIRST);
    assert.ok(stage.windowOpened(1) >= FIRST / 2);
    await stage.say(data(1, 'end', true));
    assert.equal(carrier.ended, true);
  });

  test('more than the window is a flow-control error of the stream, and the others go on', async (t) => {
    const stage = await staged(t);
    await stage.say(headers(1, post, false), ...upload(1, FIRST + 1));
    assert.equal(stage.resetOf(1), Code.flowControlError);
    stage.onRequest = (exchange) => answer(exchange, undefined);
    await stage.say(headers(3, get));
    assert.equal(stage.socket.of(Type.headers, 3).length, 1);
  });

  test('while the app is behind, nothing is given on, and nothing back; then all of it', async (t) => {
    const stage = await staged(t);
    const carrier = new HeldCarrier();
    await stage.say(headers(1, post, false));
    const exchange = stage.exchanges[0] as Exchange;
    exchange.carry(carrier);
    exchange.pauseBody();
    await stage.say(...upload(1, 60_000, 1));
    assert.deepEqual([carrier.bytes, stage.windowOpened(1)], [0, 0]);
    assert.equal(exchange.bytesIn, 60_000);
    exchange.resumeBody();
    await turns();
    assert.equal(carrier.bytes, 60_000);
    assert.ok(carrier.chunks.length < 40, `${carrier.chunks.length} pieces for 60,000 frames of a byte`);
    assert.ok(stage.windowOpened(1) >= 60_000);
  });

  test('what is given on while the app falls behind counts as taken only when it goes on', async (t) => {
    const stage = await staged(t);
    await stage.say(headers(1, post, false));
    const exchange = stage.exchanges[0] as Exchange;
    const carrier = new HeldCarrier();
    carrier.body = (chunk) => {
      carrier.chunks.push(chunk);
      exchange.pauseBody();
    };
    exchange.carry(carrier);
    await stage.say(...upload(1, 64_000));
    assert.deepEqual([carrier.bytes, stage.windowOpened(1)], [16_000, 0]);
    for (let round = 0; round < 3; round++) exchange.resumeBody();
    await turns();
    assert.equal(carrier.bytes, 64_000);
  });

  test('uploads that wait, in any number, leave room for the one that runs', async (t) => {
    const stage = await staged(t);
    const last = 255;
    for (let id = 1; id < last; id += 2) await stage.say(headers(id, post, false), ...upload(id, FIRST));
    await stage.say(headers(last, post, false));
    const carrier = new HeldCarrier();
    stage.exchanges.at(-1)?.carry(carrier);
    const others = 127 * FIRST;
    let sent = 0;
    while (sent < 4 << 20) {
      const window = Math.min(stage.windowOpened(last) + FIRST - sent, stage.windowOpened(0) + FIRST - others - sent);
      assert.ok(window > 0, `nothing more may be sent after ${sent} bytes`);
      await stage.say(...upload(last, window));
      sent += window;
    }
    assert.equal(carrier.bytes, sent);
  });

  test('the window of one that is taken as it comes grows, and so much is lent to few', async (t) => {
    const stage = await staged(t);
    stage.onRequest = (exchange) => exchange.carry(new HeldCarrier());
    for (const id of [1, 3, 5, 7]) await stage.say(headers(id, post, false));
    const open = new Map([1, 3, 5, 7].map((id) => [id, FIRST]));
    for (let round = 0; round < 60; round++) {
      for (const [id, left] of open) {
        const before = stage.windowOpened(id);
        await stage.say(...upload(id, left));
        open.set(id, stage.windowOpened(id) - before);
      }
    }
    const most = [...open.values()].map((left) => left);
    assert.ok(Math.max(...most) >= 1 << 18, `${most}`);
    assert.ok(stage.windowOpened(0) > 0 && stage.goaways.length === 0, 'the window of the connection held no one up');
  });

  test('small pieces that wait are gathered in copies: none keeps the buffer that it was read into', async (t) => {
    const stage = await staged(t);
    const carrier = new HeldCarrier();
    stage.onRequest = (exchange) => exchange.carry(carrier);
    await stage.say(headers(1, post, false), data(1, 'a'), data(1, 'b'), ...upload(1, 3000, 500));
    // The last one was given as it came.
    const kept = carrier.chunks.slice(0, -1).reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
    assert.ok(kept <= 16_384, `${kept} bytes for 3,002`);
  });

  test('padding counts for the windows, and is given back at once', async (t) => {
    const stage = await staged(t);
    await stage.say(headers(1, post, false));
    const padded = frame(Type.data, Flag.padded, 1, Buffer.concat([Buffer.from([255]), Buffer.alloc(255)]));
    await stage.say(...Array.from({ length: 1000 }, () => padded));
    assert.ok(stage.windowOpened(1) >= 255 * 900);
    assert.equal(stage.resetOf(1), undefined);
  });
});

describe('answers that leave', () => {
  test('what one turn makes for a connection leaves in one write', async (t) => {
    const stage = await staged(t);
    const ids = Array.from({ length: 20 }, (_, at) => at * 2 + 1);
    await stage.say(...ids.map((id) => headers(id, get)));
    stage.socket.writes.length = 0;
    for (const exchange of stage.exchanges) answer(exchange, Buffer.alloc(300));
    await turns();
    assert.equal(stage.socket.writes.length, 1);
    assert.equal(stage.socket.of(Type.data).filter(({ flags }) => flags & Flag.endStream).length, 20);
  });

  test('streams that wait for the window of the connection take turns, the urgent ones first', async (t) => {
    const stage = await staged(t, [[Setting.initialWindowSize, 1 << 20]]);
    const urgent = [...get, ['priority', 'u=1, i'] as const];
    await stage.say(headers(1, get), headers(3, get), headers(5, urgent));
    for (const exchange of stage.exchanges) answer(exchange, Buffer.alloc(100_000));
    await turns();
    const before = stage.socket.of(Type.data).length;
    await stage.say(windowUpdate(0, 200_000));
    const order = stage.socket
      .of(Type.data)
      .slice(before)
      .filter(({ payload }) => payload.length > 0);
    const urgentEnd = order.findLastIndex(({ stream }) => stream === 5);
    assert.ok(order.slice(0, urgentEnd).every(({ stream }) => stream === 5));
    const rest = order.slice(urgentEnd + 1).map(({ stream }) => stream);
    assert.ok(rest.slice(0, 4).includes(1) && rest.slice(0, 4).includes(3), `${rest}`);
    assert.ok(
      order.every(({ payload }) => payload.length + 9 <= 16_384),
      'a frame fits one TLS record',
    );
  });

  test('a client that takes nothing holds the app up, and drained() tells when it goes on', async (t) => {
    const stage = await staged(t, [[Setting.initialWindowSize, 1 << 30]]);
    await stage.say(headers(1, get), windowUpdate(0, 1 << 30));
    const exchange = stage.exchanges[0] as Exchange;
    const carrier = new HeldCarrier();
    exchange.carry(carrier);
    stage.socket.stuck = true;
    exchange.answer(200, 'OK', [], 100 << 20);
    let given = 0;
    for (; given < 1000; given++) {
      exchange.write(Buffer.alloc(16_384));
      if (!exchange.flush()) break;
      await turns(1);
    }
    assert.ok(given < 60, `${given} pieces of 16 KiB`);
    stage.socket.unstick();
    await turns();
    assert.equal(carrier.drains, 1);
  });

  test('one that is never taken is cut at --client-timeout; progress renews it', async (t) => {
    const stage = await staged(t, [[Setting.initialWindowSize, 10]]);
    await stage.say(SETTINGS_ACK, headers(1, get));
    answer(stage.exchanges[0] as Exchange, Buffer.alloc(100));
    await stage.say(ping());
    await stage.pass(20_000);
    await stage.say(windowUpdate(1, 1));
    await stage.pass(20_000);
    assert.equal(stage.resetOf(1), undefined);
    await stage.say(ping());
    await stage.pass(11_000);
    assert.equal(stage.resetOf(1), Code.internalError);
    assert.equal(stage.finished[0]?.rejection?.reason, 'client_gone');
  });

  test('a first window that is lowered below what was sent holds an answer up, and not a byte of other memory gets out', async (t) => {
    const stage = await staged(t, [[Setting.initialWindowSize, 100_000]]);
    const body = Buffer.from(Array.from({ length: 90_000 }, (_, i) => 33 + (i % 90)));
    await stage.say(headers(1, get));
    // It stands in the queue for the window of the connection when its own comes below 0.
    answer(stage.exchanges[0] as Exchange, body);
    await stage.say(settings([[Setting.initialWindowSize, 10]]), windowUpdate(0, 1 << 20));
    const sent = (): Buffer => Buffer.concat(stage.socket.of(Type.data, 1).map(({ payload }) => payload));
    assert.equal(sent().length, FIRST);
    await stage.say(settings([[Setting.initialWindowSize, 100_000]]));
    assert.deepEqual(sent(), body);
    assert.ok((stage.socket.of(Type.data, 1).at(-1)?.flags ?? 0) & Flag.endStream);
  });

  test('a client that never opens the window of its connection is cut, whatever else it takes', async (t) => {
    const stage = await staged(t, [[Setting.initialWindowSize, 1 << 20]]);
    await stage.say(SETTINGS_ACK, headers(1, get));
    stage.exchanges[0]?.answer(200, 'OK', [], 200_000);
    stage.exchanges[0]?.write(Buffer.alloc(200_000, 'x'));
    assert.equal(stage.exchanges[0]?.flush(), false);
    for (let i = 0; i < 8 && stage.resetOf(1) === undefined; i++) {
      await stage.say(ping());
      await stage.pass(15_000);
    }
    assert.notEqual(stage.resetOf(1), undefined);
  });

  test('bytes that wait are given back to whoever lent them', async (t) => {
    const stage = await staged(t, [[Setting.initialWindowSize, 0]]);
    await stage.say(headers(1, get), headers(3, get));
    let released = 0;
    for (const exchange of stage.exchanges) {
      exchange.answer(200, 'OK', [], 40_000);
      exchange.write(Buffer.alloc(40_000), () => released++);
    }
    assert.equal(released, 0);
    await stage.say(windowUpdate(1, 50_000), rstStream(3));
    assert.equal(released, 2);
  });
});

describe('how a connection ends', () => {
  test('200 streams before it has heard of the limit: 128 are served, 72 refused, and it goes on', async (t) => {
    const stage = await staged(t);
    const ids = Array.from({ length: 200 }, (_, at) => at * 2 + 1);
    await stage.say(...ids.map((id) => headers(id, get)));
    assert.equal(stage.exchanges.length, 128);
    const refused = stage.socket.of(Type.rstStream);
    assert.equal(refused.length, 72);
    for (const { payload } of refused) assert.equal(payload.readUInt32BE(0), Code.refusedStream);
    for (const exchange of stage.exchanges) answer(exchange, undefined);
    await stage.say(headers(401, get));
    assert.deepEqual([stage.exchanges.length, stage.goaways.length], [129, 0]);
  });

  test('told to go: what was on its way is served, what comes after the ping is not, and then it closes', async (t) => {
    const stage = await staged(t);
    await stage.say(SETTINGS_ACK, headers(1, get));
    stage.connection.drain();
    await turns();
    const [first] = stage.socket.of(Type.goaway);
    assert.equal(first?.payload.readUInt32BE(0), 0x7fffffff);
    await stage.say(headers(3, get));
    assert.equal(stage.exchanges.length, 2);
    const asked = stage.socket.of(Type.ping).at(-1);
    await stage.say(
      frame(Type.ping, Flag.ack, 0, asked?.payload),
      headers(5, post, false),
      data(5, 'x'),
      windowUpdate(5, 9),
    );
    assert.equal(stage.exchanges.length, 2);
    assert.equal(stage.socket.of(Type.goaway)[1]?.payload.readUInt32BE(0), 3);
    for (const exchange of stage.exchanges) answer(exchange, Buffer.from('done'));
    await turns();
    assert.equal(stage.socket.ended, true);
    assert.equal(stage.socket.of(Type.data).filter(({ flags }) => flags & Flag.endStream).length, 2);
    await stage.pass(2001);
    assert.equal(stage.socket.destroyed, true);
  });

  test('a GOAWAY of the client closes it after what is in flight', async (t) => {
    const stage = await staged(t);
    await stage.say(headers(1, get), goaway());
    assert.equal(stage.socket.ended, false);
    answer(stage.exchanges[0] as Exchange, undefined);
    await turns();
    assert.equal(stage.socket.ended, true);
  });

  test('SETTINGS that are not acknowledged within ten seconds end it with the code for that', async (t) => {
    const stage = await staged(t);
    await stage.say(headers(1, get));
    await stage.pass(10_001);
    assert.deepEqual(stage.goaways, [4]);
    assert.deepEqual(stage.failures, ['protocol_error: SETTINGS were not acknowledged']);
  });

  test('a header block that never ends is ended at --header-timeout, other requests in flight or not', async (t) => {
    const stage = await staged(t);
    await stage.say(SETTINGS_ACK, headers(1, get), frame(Type.headers, 0, 3, headerBlock(get)));
    await stage.pass(10_000);
    await stage.say(Buffer.from([0]));
    await stage.pass(10_001);
    assert.equal(stage.goaways.length, 1);
    assert.equal(stage.finished.length, 1);
    assert.deepEqual(stage.failures, ['header_timeout: a frame or a head was not whole in time']);
  });

  test('so is any other frame that never ends, with the same word', async (t) => {
    const stage = await staged(t);
    await stage.say(SETTINGS_ACK, headers(1, get), ping().subarray(0, 12));
    await stage.pass(10_000);
    await stage.say(Buffer.from('5'));
    await stage.pass(10_001);
    assert.deepEqual(stage.failures, ['header_timeout: a frame or a head was not whole in time']);
  });

  test('each frame has that time for itself; a header block has it once, whatever its frames', async (t) => {
    const stage = await staged(t);
    await stage.say(SETTINGS_ACK, headers(1, get));
    const [head, rest] = [ping().subarray(0, 12), ping().subarray(12)];
    await stage.say(head);
    for (let round = 0; round < 8; round++) {
      await stage.pass(10_000);
      await stage.say(rest, head);
    }
    assert.deepEqual(stage.failures, []);
    const more = frame(Type.continuation, 0, 3, literal('x-a', 'b'));
    await stage.say(rest, frame(Type.headers, 0, 3, headerBlock(get)), more.subarray(0, 10));
    for (let round = 0; round < 2; round++) {
      await stage.pass(10_001);
      await stage.say(more.subarray(10), more.subarray(0, 10));
    }
    assert.equal(stage.failures.length, 1);
  });

  const ERRORS: readonly (readonly [what: string, bytes: Buffer, code: number])[] = [
    ['DATA on stream 0', data(0, 'x'), Code.protocolError],
    ['a window above 2^31-1', windowUpdate(0, 0x7fffffff), Code.flowControlError],
    ['a stream of the server', headers(2, get), Code.protocolError],
    ['a PING of seven bytes', ping('1234567'), Code.frameSizeError],
    ['fields that cannot be read', frame(Type.headers, 5, 3, '\x80'), 9],
    [
      'a frame within a header block',
      Buffer.concat([frame(Type.headers, 0, 3, headerBlock(get)), ping()]),
      Code.protocolError,
    ],
    [
      'a header block in 20 pieces',
      Buffer.concat([
        frame(Type.headers, 0, 3),
        ...Array.from({ length: 20 }, () => frame(Type.continuation, 0, 3, 'x')),
      ]),
      Code.enhanceYourCalm,
    ],
    ['PUSH_PROMISE', frame(Type.pushPromise, 4, 1, '\0\0\0\x02'), Code.protocolError],
    [
      'a change of SETTINGS that overflows a window',
      settings([[Setting.initialWindowSize, 0x80000000]]),
      Code.flowControlError,
    ],
  ];
  for (const [what, bytes, code] of ERRORS) {
    test(`${what}: GOAWAY with ${code}, the end of our direction, and a closed socket two seconds later`, async (t) => {
      const stage = await staged(t);
      await stage.say(SETTINGS_ACK, headers(1, get), bytes, headers(5, get));
      assert.deepEqual(stage.goaways, [code]);
      assert.deepEqual([stage.socket.ended, stage.exchanges.length, stage.finished.length], [true, 1, 1]);
      await stage.pass(2001);
      assert.equal(stage.socket.destroyed, true);
    });
  }

  test('resets count whether their requests were answered or not, by whomever they are made', async (t) => {
    for (const bad of [
      (id: number) => rstStream(id),
      (id: number) => windowUpdate(id, 0),
      (id: number) => headers(id, get),
    ]) {
      const stage = await staged(t);
      await stage.say(SETTINGS_ACK);
      for (let id = 1; id < 1600 && stage.goaways.length === 0; id += 2)
        await stage.say(headers(id, post, false), bad(id));
      assert.deepEqual(stage.goaways, [Code.enhanceYourCalm]);
      assert.ok(stage.exchanges.length <= 502);
    }
  });

  test('a throw on the way ends this connection, and is told', async () => {
    const stage = await new H2Stage().begin();
    stage.onRequest = () => {
      throw new Error('a defect');
    };
    await stage.say(headers(1, get));
    assert.equal(stage.socket.destroyed, true);
    assert.match(`${stage.crashes[0]}`, /a defect/);
  });
});

describe('a body that moves more slowly than the least rate', () => {
  const REQUEST = { ':method': 'POST' };

  test('is a 408 after the time-out, though it never stands still', async () => {
    const stage = await new H2Stage().begin();
    stage.onRequest = (exchange) => exchange.carry(new HeldCarrier());
    await stage.say(SETTINGS_ACK, headers(1, fieldsOf(REQUEST), false));
    for (let ms = 0; ms < 30_000; ms += 1000) {
      assert.equal(stage.refused.length, 0, `after ${ms} ms`);
      await stage.say(data(1, 'x'.repeat(100)));
      await stage.pass(1000);
    }
    assert.deepEqual([stage.refused[0]?.reason, stage.refused[0]?.status], ['client_timeout', 408]);
    stage.end();
  });

  test('lags before that, and no more where it moves', async () => {
    const stage = await new H2Stage().begin();
    stage.onRequest = (exchange) => exchange.carry(new HeldCarrier());
    await stage.say(SETTINGS_ACK, headers(1, fieldsOf(REQUEST), false));
    const exchange = stage.exchanges[0] as Exchange;
    const lagging = [exchange.lags];
    await stage.pass(1000);
    lagging.push(exchange.lags);
    await stage.say(data(1, 'x'.repeat(1000)));
    lagging.push(exchange.lags);
    assert.deepEqual(lagging, [false, true, false]);
    stage.end();
  });

  test('goes on for as long as the app takes none of it', async () => {
    const stage = await new H2Stage().begin();
    stage.onRequest = (exchange) => {
      exchange.carry(new HeldCarrier());
      exchange.pauseBody();
    };
    await stage.say(SETTINGS_ACK, headers(1, fieldsOf(REQUEST), false));
    for (let ms = 0; ms < 100_000; ms += 1000) {
      await stage.say(windowUpdate(0, 1));
      await stage.pass(1000);
    }
    assert.deepEqual([stage.refused.length, stage.exchanges[0]?.lags], [0, false]);
    stage.end();
  });

  for (const [what, opened, ends] of [
    ['is cut where the client lets a byte through each second', 1, true],
    ['goes on where it lets enough through', 300, false],
  ] as const) {
    test(`an answer that waits for windows ${what}`, async () => {
      const stage = await new H2Stage().begin([[Setting.initialWindowSize, 100]]);
      stage.onRequest = (exchange) => exchange.carry(new HeldCarrier());
      await stage.say(SETTINGS_ACK, headers(1, fieldsOf()));
      const exchange = stage.exchanges[0] as Exchange;
      exchange.answer(200, 'OK', [], -1);
      exchange.write(Buffer.alloc(50_000));
      exchange.flush();
      for (let ms = 0; ms < 60_000 && !exchange.finished; ms += 1000) {
        await stage.say(windowUpdate(1, opened));
        await stage.pass(1000);
      }
      assert.equal(exchange.finished, ends);
      if (ends) assert.equal(exchange.rejection?.reason ?? stage.refused[0]?.reason, 'client_timeout');
      stage.end();
    });
  }
});
