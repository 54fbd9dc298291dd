// One exchange on its way, on a transport that the test plays and a clock that it holds: who owes a byte, what is sent again, how
// it ends.
import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { REJECTIONS, type Rejection } from '../../../src/errors.ts';
import { type Exchange, UNKNOWN_LENGTH } from '../../../src/exchange.ts';
import type { AnswerHead } from '../../../src/forward/answer.ts';
import { Carriage } from '../../../src/forward/carriage.ts';
import type { Lender, Transport } from '../../../src/forward/transport.ts';
import type { RawHeaders } from '../../../src/http/fields.ts';
import { Deadlines } from '../../../src/net/deadlines.ts';
import { FakeExchange, type FakeRequest } from '../pipeline/fake-exchange.ts';

const TIMEOUT_MS = 1000;
const HEAD: AnswerHead = {
  status: 200,
  reason: 'OK',
  headers: [],
  bodyLength: UNKNOWN_LENGTH,
  chunked: true,
  persistent: true,
  keepAliveMs: undefined,
  stream: false,
};
const POST: FakeRequest = { method: 'POST', headers: ['Host', 'a'], bodyLength: UNKNOWN_LENGTH };

class FakeTransport implements Transport {
  connected = true;
  readonly keepsTime = false;
  /** Whether it takes body bytes as they come. */
  takes = true;
  readonly calls: string[] = [];
  /** What send() does beside being noted. */
  onSend: () => void = () => {};
  send(_exchange: Exchange): void {
    this.calls.push('send');
    this.onSend();
  }
  sendBody(chunk: Buffer): boolean {
    this.calls.push(`body ${chunk}`);
    return this.takes;
  }
  sendEnd(trailers: RawHeaders | undefined): void {
    this.calls.push(`end ${trailers?.join(' ') ?? ''}`.trim());
  }
  pauseAnswer(): void {
    this.calls.push('pause');
  }
  resumeAnswer(): void {
    this.calls.push('resume');
  }
  abandon(): void {
    this.calls.push('abandon');
  }
}

let nowMs: number;
let deadlines: Deadlines;
/** Transports lent so far; `lends` false: whoever asks waits. */
let lent: FakeTransport[];
let lends: boolean;
let outcomes: string[];
let clientTakes: boolean;
/** Whether its client may have one more event stream. */
let mayLast: boolean;
beforeEach(() => {
  nowMs = 0;
  lent = [];
  lends = true;
  outcomes = [];
  clientTakes = true;
  mayLast = true;
  deadlines = new Deadlines(() => nowMs);
});
afterEach(() => deadlines.close());

class Client extends FakeExchange {
  override flush(): boolean {
    super.flush();
    return clientTakes;
  }
}

function start(request: FakeRequest = {}, edit: (exchange: Client) => void = () => {}, keepsBody = false) {
  const exchange = new Client(request);
  edit(exchange);
  const lender: Lender = {
    keepsBody,
    borrow(borrower) {
      outcomes.push(`borrow${borrower.waited ? ' again' : ''}`);
      if (lends) borrower.lend(lent[lent.push(new FakeTransport()) - 1] as FakeTransport);
    },
    lasts: () => mayLast,
    forget: () => void outcomes.push('forget'),
    close() {},
  };
  const failures = {
    fail: (_: Exchange, { reason }: Rejection) => void outcomes.push(reason),
    crashed: (_: Exchange | undefined, error: unknown) => void outcomes.push(`crashed ${error}`),
  };
  const limits = { upstreamTimeoutMs: TIMEOUT_MS } as never;
  const carriage = new Carriage(exchange, failures, { clock: () => nowMs, deadlines, limits, lender });
  lender.borrow(carriage);
  const [transport = new FakeTransport()] = lent;
  return { exchange, carriage, transport };
}

/** Time goes by in steps shorter than the time-out. */
function pass(ms: number, meanwhile: () => void = () => {}): void {
  for (const end = nowMs + ms; nowMs < end; ) {
    nowMs += 100;
    meanwhile();
    deadlines.sweep();
  }
}

const timedOut = (): boolean => outcomes.includes('upstream_timeout');

describe('who owes a byte', () => {
  test('the app, after a request without a body', () => {
    start();
    pass(TIMEOUT_MS - 100);
    assert.ok(!timedOut());
    pass(100);
    assert.ok(timedOut());
  });

  test('nobody, before there is a connection', () => {
    const { carriage, transport } = start(POST);
    transport.connected = false;
    carriage.bodyEnd(undefined);
    pass(5 * TIMEOUT_MS);
    assert.ok(!timedOut());
    transport.connected = true;
    carriage.connected();
    pass(TIMEOUT_MS);
    assert.ok(timedOut());
  });

  test('the client, while its body is on its way; then the app', () => {
    const { carriage } = start(POST);
    pass(5 * TIMEOUT_MS);
    carriage.body(Buffer.from('x'));
    pass(5 * TIMEOUT_MS);
    assert.ok(!timedOut());
    carriage.bodyEnd(undefined);
    pass(TIMEOUT_MS);
    assert.ok(timedOut());
  });

  test('the app, where it does not take the body; what the client goes on sending is no sign of it', () => {
    const { carriage, transport } = start(POST);
    transport.takes = false;
    pass(TIMEOUT_MS, () => carriage.body(Buffer.from('x')));
    assert.ok(!timedOut());
    pass(100, () => carriage.body(Buffer.from('x')));
    assert.ok(timedOut());
  });

  test('the app, while a client awaits a 100; then the client', () => {
    const { carriage, exchange } = start(POST, (one) => {
      one.awaitsContinue = true;
      one.headers.push('Expect', '100-continue');
    });
    pass(TIMEOUT_MS - 100);
    carriage.interim(100, []);
    assert.ok(exchange.calls.includes('inform 100'));
    pass(5 * TIMEOUT_MS);
    assert.ok(!timedOut());
  });

  test('the app, where it never says 100', () => {
    start(POST, (one) => {
      one.awaitsContinue = true;
    });
    pass(TIMEOUT_MS);
    assert.ok(timedOut());
  });

  test('the client, which does not take the answer, and not the app, though the client sends on', () => {
    const { carriage } = start(POST);
    carriage.answerHead(HEAD);
    clientTakes = false;
    carriage.settle();
    pass(5 * TIMEOUT_MS, () => carriage.body(Buffer.from('x')));
    assert.ok(!timedOut());
  });

  test('the app, byte by byte, until its answer is complete', () => {
    const { carriage } = start();
    carriage.answerHead(HEAD);
    pass(5 * TIMEOUT_MS, () => carriage.settle());
    assert.ok(!timedOut());
    pass(TIMEOUT_MS);
    assert.ok(timedOut());
  });

  test('the app, in an event stream of a client that has too many of them', () => {
    mayLast = false;
    start().carriage.answerHead({ ...HEAD, stream: true });
    nowMs += TIMEOUT_MS;
    deadlines.sweep();
    assert.deepEqual(outcomes.at(-1), 'upstream_timeout');
  });

  test('nobody, in an event stream and in a gRPC call that has begun', () => {
    start().carriage.answerHead({ ...HEAD, stream: true });
    start({}, (one) => {
      one.grpc = true;
    }).carriage.answerHead(HEAD);
    pass(50 * TIMEOUT_MS);
    assert.ok(!timedOut());
  });
});

describe('back-pressure', () => {
  test('the app is paused at the second read that the client has not taken, and read on when it has', () => {
    const { carriage, transport } = start();
    carriage.answerHead(HEAD);
    clientTakes = false;
    carriage.settle();
    assert.ok(!transport.calls.includes('pause'));
    carriage.settle();
    assert.equal(transport.calls.at(-1), 'pause');
    carriage.drained();
    assert.equal(transport.calls.at(-1), 'resume');
  });

  test('nothing that the client sends makes the app be read on', () => {
    const { carriage, transport } = start(POST);
    carriage.answerHead(HEAD);
    clientTakes = false;
    carriage.settle();
    carriage.settle();
    for (let i = 0; i < 100; i++) carriage.body(Buffer.from('x'));
    carriage.bodyEnd(undefined);
    assert.ok(!transport.calls.includes('resume'));
  });

  test('the client is paused at the second piece that the app has not taken', () => {
    const { carriage, transport, exchange } = start(POST);
    transport.takes = false;
    carriage.body(Buffer.from('x'));
    assert.ok(!exchange.calls.includes('pauseBody'));
    carriage.body(Buffer.from('x'));
    assert.equal(exchange.calls.at(-1), 'pauseBody');
    carriage.appDrained();
    assert.equal(exchange.calls.at(-1), 'resumeBody');
  });
});

describe('a request is sent again', () => {
  test('from the front of the line, where a used one closed without a byte of an answer', () => {
    const { carriage, exchange } = start();
    carriage.failed(REJECTIONS.upstream_closed, 'stale');
    assert.deepEqual([outcomes, lent.length], [['borrow', 'borrow again'], 2]);
    assert.deepEqual(exchange.calls, ['carry']);
  });

  for (const [what, request] of [
    ['it has a body', POST],
    ['doing it twice may do harm', { method: 'POST' }],
  ] as const) {
    test(`but not where ${what}`, () => {
      start(request).carriage.failed(REJECTIONS.upstream_closed, 'stale');
      assert.deepEqual(outcomes, ['borrow', 'upstream_closed']);
    });
  }

  test('but not twice, nor after an interim answer', () => {
    const { carriage } = start();
    carriage.failed(REJECTIONS.upstream_closed, 'stale');
    carriage.failed(REJECTIONS.upstream_closed, 'stale');
    assert.deepEqual(outcomes, ['borrow', 'borrow again', 'upstream_closed']);
    const second = start();
    second.carriage.interim(103, []);
    second.carriage.failed(REJECTIONS.upstream_closed, 'stale');
    assert.equal(outcomes.at(-1), 'upstream_closed');
  });

  test('with its body and its trailers, where the app has not looked at it', () => {
    const { carriage } = start(POST, undefined, true);
    carriage.body(Buffer.from('ab'));
    carriage.body(Buffer.from('cd'));
    carriage.bodyEnd(['X-Sum', '1']);
    carriage.failed(REJECTIONS.upstream_closed, 'unseen');
    assert.deepEqual(lent[1]?.calls, ['send', 'body abcd', 'end X-Sum 1']);
  });

  test('and the rest of its body follows, when the client goes on', () => {
    const { carriage, exchange } = start(POST, undefined, true);
    carriage.body(Buffer.from('ab'));
    lends = false;
    carriage.failed(REJECTIONS.upstream_closed, 'unseen');
    assert.equal(exchange.calls.at(-1), 'pauseBody');
    const again = new FakeTransport();
    carriage.lend(again);
    assert.equal(exchange.calls.at(-1), 'resumeBody');
    carriage.body(Buffer.from('cd'));
    carriage.bodyEnd(undefined);
    assert.deepEqual(again.calls, ['send', 'body ab', 'body cd', 'end']);
  });
});

describe('the end', () => {
  test('a client that left while it waited takes nothing', () => {
    lends = false;
    const { carriage, exchange } = start();
    carriage.gone();
    exchange.finished = true;
    const late = new FakeTransport();
    assert.equal(carriage.lend(late), false);
    assert.deepEqual([late.calls, outcomes], [[], ['borrow', 'forget']]);
  });

  test('a client that leaves frees the app at once', () => {
    const { carriage, transport } = start();
    carriage.gone();
    assert.equal(transport.calls.at(-1), 'abandon');
    pass(5 * TIMEOUT_MS);
    assert.ok(!timedOut());
  });

  test('a tunnel whose client has gone is cut where the app does not take what is left of it', () => {
    const { carriage } = start({}, (one) => {
      one.upgrade = 'x';
    });
    const app = new Duplex({ read() {}, write() {} });
    let left = 0;
    carriage.switched('Switching Protocols', [], { stream: app, leave: () => void left++ });
    carriage.gone();
    pass(TIMEOUT_MS - 100);
    assert.deepEqual([left, app.destroyed], [1, false]);
    pass(100);
    assert.ok(app.destroyed);
  });

  test('more interim answers than any app sends, and a 101 that nobody asked for, are no answer', () => {
    const { carriage, transport } = start();
    for (let i = 0; i < 33; i++) carriage.interim(102, []);
    assert.equal(outcomes.at(-1), 'upstream_malformed');
    assert.equal(transport.calls.at(-1), 'abandon');
    start().carriage.interim(101, []);
    assert.deepEqual(outcomes.slice(-2), ['borrow', 'upstream_malformed']);
  });

  test('trailers lose what may not stand there, both ways', () => {
    const { carriage, transport, exchange } = start(POST);
    carriage.bodyEnd(['TE', 'trailers', 'te', 'trailers', 'Content-Length', '5', 'X-Real-IP', '6.6.6.6', 'X-Sum', '1']);
    assert.equal(transport.calls.at(-1), 'end X-Sum 1');
    carriage.answerHead(HEAD);
    carriage.answerEnd(['Connection', 'close', 'X-T', '2']);
    assert.deepEqual(exchange.trailers, ['X-T', '2']);
  });

  test('what lags is given back where others wait, and nothing else', () => {
    const { carriage, transport, exchange } = start(POST);
    carriage.yield();
    assert.ok(!transport.calls.includes('abandon'));
    exchange.lags = true;
    carriage.yield();
    assert.deepEqual([transport.calls.at(-1), outcomes.at(-1)], ['abandon', 'client_timeout']);
    carriage.yield();
    assert.deepEqual(
      outcomes.filter((outcome) => outcome === 'client_timeout'),
      ['client_timeout'],
    );
  });

  test('who it is counted to is the client, and the connection that it came on', () => {
    const { carriage, exchange } = start({ connection: { remoteAddress: '2001:db8::7' } });
    assert.deepEqual([carriage.client, carriage.clientConnection], ['2001:db8:0:0::/64', exchange.connection]);
  });

  test('a defect ends the exchange, and the transport with it', () => {
    const { carriage, transport } = start();
    carriage.crashed(new Error('defect'));
    assert.equal(outcomes.at(-1), 'crashed Error: defect');
    assert.equal(transport.calls.at(-1), 'abandon');
  });

  test('a transport that throws when it is given the request is a defect of one exchange', () => {
    lends = false;
    const { carriage } = start();
    const broken = new FakeTransport();
    broken.onSend = () => {
      throw new Error('defect');
    };
    carriage.lend(broken);
    assert.equal(outcomes.at(-1), 'crashed Error: defect');
    assert.equal(broken.calls.at(-1), 'abandon');
  });
});

describe('a body of unknown length that grows above its limit', () => {
  const limit = (exchange: Client): void => {
    exchange.maxBodyBytes = 10;
  };
  const send = ({ exchange, carriage }: ReturnType<typeof start>, bytes: number): void => {
    exchange.bytesIn += bytes;
    carriage.body(Buffer.alloc(bytes, 'x'));
  };

  test('passes up to the limit', () => {
    const begun = start(POST, limit);
    send(begun, 4);
    send(begun, 6);
    begun.carriage.bodyEnd(undefined);
    assert.deepEqual(begun.transport.calls, ['send', 'body xxxx', 'body xxxxxx', 'end']);
    assert.deepEqual(outcomes, ['borrow']);
  });

  test('is broken off at the app, never ended, and nothing above the limit is sent', () => {
    const begun = start(POST, limit);
    send(begun, 10);
    send(begun, 1);
    send(begun, 1);
    begun.carriage.bodyEnd(undefined);
    assert.deepEqual(begun.transport.calls, ['send', 'body xxxxxxxxxx', 'abandon']);
    assert.deepEqual(outcomes, ['borrow', 'body_too_large']);
  });
});
