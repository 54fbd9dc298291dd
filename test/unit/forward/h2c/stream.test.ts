// One exchange on a stream to the app: what the app gets, and what becomes of its answer, judged by frames.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UNKNOWN_LENGTH } from '../../../../src/exchange.ts';
import { AppStage, type Call } from '../../../support/app-session-stage.ts';
import {
  Code,
  data,
  type Field,
  Flag,
  frame,
  goaway,
  headerBlock,
  headers,
  rstStream,
  Setting,
  Type,
  windowUpdate,
} from '../../../support/h2-frames.ts';
import { turns } from '../../../support/h2-stage.ts';
import { readHeaderBlock } from '../../../support/header-block.ts';

const NO_TABLE = [[Setting.headerTableSize, 0]] as const;
const POST = { method: 'POST', bodyLength: UNKNOWN_LENGTH };
const OK: Field = [':status', '200'];
const FIRST = 65_535;

function staged(t: { after(end: () => void): void }): AppStage {
  const stage = new AppStage();
  t.after(() => {
    stage.end();
    assert.deepEqual(stage.crashes, []);
  });
  return stage;
}

function resetOf(stage: AppStage, stream = 1): number | undefined {
  return stage.app.of(Type.rstStream, stream)[0]?.payload.readUInt32BE(0);
}

function trailers(stream: number, fields: readonly Field[]): Buffer {
  return frame(Type.headers, Flag.endHeaders | Flag.endStream, stream, headerBlock(fields));
}

function pieces(stream: number, bytes: number, piece = 16_000): Buffer[] {
  const frames: Buffer[] = [];
  for (let left = bytes; left > 0; left -= piece) frames.push(data(stream, Buffer.alloc(Math.min(left, piece), 'a')));
  return frames;
}

describe('the request', () => {
  test('without a body is one frame that ends the stream, with no field of a connection', async (t) => {
    const stage = staged(t);
    const fields = ['Host', 'h', 'Connection', 'close', 'TE', 'trailers', 'TE', 'gzip', 'X-A', '1', 'x-a', '2'];
    await stage.begin({ target: '/a?b', headers: fields }, NO_TABLE);
    const [head, ...more] = stage.app.of(Type.headers);
    assert.equal(more.length, 0);
    assert.equal(head?.flags, Flag.endHeaders | Flag.endStream);
    assert.deepEqual(readHeaderBlock(head?.payload ?? Buffer.alloc(0)), [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':authority', 'app.test'],
      [':path', '/a?b'],
      ['te', 'trailers'],
      ['x-a', '1'],
      ['x-a', '2'],
    ]);
  });

  test('body and trailers, the end on the trailers', async (t) => {
    const stage = staged(t);
    const call = await stage.begin(POST, NO_TABLE);
    assert.equal(call.transport?.sendBody(Buffer.from('hello')), true);
    call.transport?.sendEnd(['X-Sum', 'abc']);
    await turns();
    assert.deepEqual(
      stage.app.frames.filter(({ stream }) => stream === 1).map(({ type, flags }) => [type, flags]),
      [
        [Type.headers, Flag.endHeaders],
        [Type.data, 0],
        [Type.headers, Flag.endHeaders | Flag.endStream],
      ],
    );
    assert.deepEqual(readHeaderBlock(stage.app.of(Type.headers)[1]?.payload as Buffer), [['x-sum', 'abc']]);
  });

  test('a body waits for the windows of the app, and says when it has gone', async (t) => {
    const stage = staged(t);
    const call = await stage.begin(POST);
    assert.equal(call.transport?.sendBody(Buffer.alloc(FIRST + 1000)), false);
    await turns();
    const sent = (): number => stage.app.of(Type.data).reduce((sum, { payload }) => sum + payload.length, 0);
    assert.equal(sent(), FIRST);
    await stage.app.say(windowUpdate(1, 5000));
    assert.equal(sent(), FIRST, 'the window of the connection is shut');
    await stage.app.say(windowUpdate(0, 5000));
    assert.equal(sent(), FIRST + 1000);
    assert.deepEqual(call.told, ['drained']);
  });

  test('that is given up is RST_STREAM with CANCEL, and no end before it', async (t) => {
    const stage = staged(t);
    const call = await stage.begin(POST);
    call.transport?.sendBody(Buffer.from('half'));
    call.transport?.abandon();
    await stage.app.say(headers(1, [OK], false), data(1, 'late', true));
    assert.equal(resetOf(stage), Code.cancel);
    assert.deepEqual(
      stage.app.frames.filter(({ type, flags }) => type === Type.data && flags & Flag.endStream),
      [],
    );
    assert.deepEqual(call.told, []);
    assert.deepEqual(stage.app.of(Type.goaway), []);
  });
});

describe('an answer', () => {
  test('with interim ones before it, a body and trailers', async (t) => {
    const stage = staged(t);
    const call = await stage.begin();
    const early = headers(1, [[':status', '103']], false);
    await stage.app.say(early, headers(1, [OK], false), data(1, 'hello'), trailers(1, [['grpc-status', '0']]));
    assert.deepEqual(call.told, ['interim 103', 'head 200', 'body 5', 'end']);
    assert.deepEqual([call.body, call.trailers], ['hello', ['grpc-status', '0']]);
    assert.equal(resetOf(stage), undefined);
  });

  test('in small pieces is given and settled once for each read', async (t) => {
    const stage = staged(t);
    const call = await stage.begin();
    await stage.app.say(headers(1, [OK], false), ...Array.from({ length: 50 }, () => data(1, 'x')));
    assert.deepEqual(call.said, ['head 200', 'body 50', 'settle']);
    await stage.app.say(data(1, 'y', true));
    assert.equal(call.body, `${'x'.repeat(50)}y`);
    assert.equal(call.told.at(-1), 'end');
  });

  test('before the end of the request is complete, and the rest of the request is cancelled', async (t) => {
    const stage = staged(t);
    const call = await stage.begin(POST);
    await stage.app.say(headers(1, [OK], false), data(1, 'enough', true));
    assert.deepEqual(call.told, ['head 200', 'body 6', 'end']);
    assert.equal(resetOf(stage), Code.cancel);
    await stage.app.say(rstStream(1, Code.noError));
    assert.deepEqual(stage.app.of(Type.goaway), []);
  });

  test('that the client does not take is held, and its window is not given back', async (t) => {
    const stage = staged(t);
    const call = await stage.begin();
    await stage.app.say(headers(1, [OK], false));
    call.transport?.pauseAnswer();
    await stage.app.say(...pieces(1, FIRST));
    assert.equal(call.body, '');
    assert.deepEqual(stage.app.of(Type.windowUpdate, 1), []);
    call.transport?.resumeAnswer();
    await turns();
    assert.equal(call.body.length, FIRST);
    assert.equal(call.said.at(-1), 'settle');
    assert.ok(stage.app.of(Type.windowUpdate, 1).length > 0);
  });

  for (const [how, after] of [
    ['a reset without an error', rstStream(1, Code.noError)],
    ['the end of the connection', undefined],
  ] as const) {
    test(`that is complete and not taken yet survives ${how}`, async (t) => {
      const stage = staged(t);
      const call = await stage.begin(POST);
      await stage.app.say(headers(1, [OK], false));
      call.transport?.pauseAnswer();
      await stage.app.say(data(1, 'all of it', true), ...(after === undefined ? [] : [after]));
      if (after === undefined) {
        stage.app.push(null);
        await turns(8);
      }
      assert.deepEqual(call.told, ['head 200']);
      assert.equal(call.transport?.sendBody(Buffer.from('more')), true, 'what the app does not want is dropped');
      call.transport?.resumeAnswer();
      assert.deepEqual(call.told, ['head 200', 'body 9', 'end']);
      await turns();
      assert.equal(resetOf(stage), undefined);
    });
  }

  test('that is complete and not taken yet survives the end of the request', async (t) => {
    const stage = staged(t);
    const call = await stage.begin(POST);
    await stage.app.say(headers(1, [OK], false));
    call.transport?.pauseAnswer();
    await stage.app.say(data(1, 'all of it', true));
    call.transport?.sendEnd(undefined);
    await turns();
    call.transport?.resumeAnswer();
    assert.deepEqual(call.told, ['head 200', 'body 9', 'end']);
  });
});

describe('an answer that fails', () => {
  type Row = [why: string, said: Buffer[], told: string[], reset?: number];
  const large = 'x'.repeat(5000);
  const rows: Row[] = [
    ['a pseudo field that is none of an answer', [headers(1, [OK, [':path', '/']])], ['failed upstream_malformed']],
    ['no status', [headers(1, [['a', 'b']])], ['failed upstream_malformed']],
    ['a name in upper case', [headers(1, [OK, ['X-A', 'b']])], ['failed upstream_malformed']],
    ['a field of a connection', [headers(1, [OK, ['connection', 'close']])], ['failed upstream_malformed']],
    ['a body before its head', [data(1, 'hello')], ['failed upstream_malformed'], Code.protocolError],
    ['an end before its head', [data(1, '', true)], ['failed upstream_malformed']],
    ['an interim answer that ends it', [headers(1, [[':status', '103']])], ['failed upstream_malformed']],
    ['a head above the limits', [headers(1, [OK, ['a', large]], false)], ['failed upstream_header_too_large']],
    [
      'more than its length',
      [headers(1, [OK, ['content-length', '2']], false), data(1, 'abc')],
      ['head 200', 'failed upstream_malformed'],
      Code.protocolError,
    ],
    [
      'less than its length',
      [headers(1, [OK, ['content-length', '5']], false), data(1, 'abc', true)],
      ['head 200', 'body 3', 'failed upstream_closed'],
    ],
    [
      'a pseudo field in its trailers',
      [headers(1, [OK], false), trailers(1, [OK])],
      ['head 200', 'failed upstream_malformed'],
    ],
    [
      'trailers that are not its end',
      [headers(1, [OK], false), headers(1, [['a', 'b']], false)],
      ['head 200', 'failed upstream_malformed'],
    ],
    ['a reset', [rstStream(1, Code.internalError)], ['failed upstream_closed']],
    ['a reset for what we had sent', [rstStream(1, Code.protocolError)], ['failed upstream_malformed']],
    ['a stream that was refused', [rstStream(1, Code.refusedStream)], ['failed upstream_closed unseen']],
    ['a GOAWAY below its stream', [goaway(0)], ['failed upstream_closed unseen']],
    [
      'a reset without an error before its end',
      [headers(1, [OK], false), data(1, 'half'), rstStream(1, Code.noError)],
      ['head 200', 'failed upstream_closed'],
    ],
    [
      'a header block without an end',
      [
        frame(Type.headers, 0, 1, headerBlock([OK])),
        ...Array.from({ length: 20 }, () => frame(Type.continuation, 0, 1, Buffer.alloc(16_000))),
      ],
      ['failed upstream_header_too_large'],
    ],
  ];
  for (const [why, said, told, reset] of rows) {
    test(`${why}: ${told.at(-1)}`, async (t) => {
      const stage = staged(t);
      const call: Call = await stage.begin();
      await stage.app.say(...said);
      assert.deepEqual(call.told, told);
      if (reset !== undefined) assert.equal(resetOf(stage), reset);
    });
  }

  test('the end of the connection is upstream_closed, and stale only where the session was used before', async (t) => {
    const stage = staged(t);
    const first = await stage.begin();
    stage.app.push(null);
    await turns(8);
    assert.deepEqual(first.told, ['failed upstream_closed']);
    const second = await stage.begin();
    await stage.app.say(headers(1, [OK]));
    assert.equal(second.told.at(-1), 'end');
    const third = stage.call();
    stage.app.push(null);
    await turns(8);
    assert.deepEqual(third.told, ['failed upstream_closed stale']);
  });

  test('a throw on behalf of one call ends that one, and no other', async (t) => {
    const stage = staged(t);
    const broken = await stage.begin();
    const other = stage.call();
    broken.onSaid = (word) => {
      if (word === 'head 200') throw new Error('a defect');
    };
    await stage.app.say(headers(1, [OK]), headers(3, [OK]));
    assert.deepEqual(broken.told, ['head 200', 'crashed Error: a defect']);
    assert.deepEqual(other.told, ['head 200', 'end']);
    assert.equal(resetOf(stage, 1), Code.cancel);
  });
});

describe('a WebSocket', () => {
  const ASK = { headers: ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='] };

  async function open(stage: AppStage): Promise<Call> {
    await stage.begin();
    await stage.app.say(headers(1, [OK]), frame(Type.settings, 0, 0, Buffer.from([0, 8, 0, 0, 0, 1])));
    const call = stage.call(ASK, 'websocket');
    await stage.app.say(headers(3, [OK], false), data(3, 'hello'));
    return call;
  }

  test('that the app does not know is upstream_bad_upgrade, and nothing is sent', async (t) => {
    const stage = staged(t);
    await stage.begin();
    const call = stage.call(ASK, 'websocket');
    assert.deepEqual(call.told, ['failed upstream_bad_upgrade']);
    await turns();
    assert.equal(stage.app.of(Type.headers).length, 1);
  });

  test('is a tunnel, and a client that leaves takes it along after what it sent', async (t) => {
    const stage = staged(t);
    const call = await open(stage);
    assert.deepEqual(call.told, ['switched']);
    const { stream, leave } = call.tunnel ?? assert.fail('no tunnel');
    assert.equal(String(stream.read()), 'hello');
    stream.write('bye');
    leave();
    await turns(8);
    const [sent] = stage.app.of(Type.data, 3);
    assert.equal(String(sent?.payload), 'bye');
    assert.equal(resetOf(stage, 3), Code.cancel);
    assert.ok(stream.destroyed);
  });

  test('that the app resets is cut', async (t) => {
    const stage = staged(t);
    const call = await open(stage);
    await stage.app.say(rstStream(3, Code.cancel));
    assert.ok(call.exchange.calls.includes('cut'));
    assert.ok(call.tunnel?.stream.destroyed);
  });
});
