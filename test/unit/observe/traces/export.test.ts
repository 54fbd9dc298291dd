// Spans on their way out: never more than the limit, counted where they are lost, and the collector's failure told once.
import assert from 'node:assert/strict';
import { beforeEach, describe, mock, test } from 'node:test';
import type { BatchSpanProcessor, ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-base';
import { LimitedQueue, openQueue, WatchedExporter } from '../../../../src/observe/traces/export.ts';

const SUCCESS = { code: 0 };
const FAILED = { code: 1, error: new Error('down') };
const LIMIT = 2048;

function spanWith(traceFlags: number): ReadableSpan {
  return { spanContext: () => ({ traceId: '1', spanId: '2', traceFlags }), resource: {} } as ReadableSpan;
}

class FakeExporter implements SpanExporter {
  readonly calls: Parameters<SpanExporter['export']>[1][] = [];
  export(_spans: ReadableSpan[], done: Parameters<SpanExporter['export']>[1]): void {
    this.calls.push(done);
  }
  shutdown(): Promise<void> {
    return Promise.resolve();
  }
}

describe('the way out of spans', () => {
  let told: string[];
  let inner: FakeExporter;
  let exporter: WatchedExporter;
  let queued: ReadableSpan[];
  let queue: LimitedQueue;
  const end = (count: number): void => {
    for (let i = 0; i < count; i++) queue.onEnd(spanWith(1));
  };
  /** A batch of this many, and its result if there is one. */
  const post = (count: number): ((result: typeof SUCCESS) => void) => {
    exporter.export(queued.splice(0, count), () => told.push('done'));
    const done = inner.calls.at(-1);
    assert.ok(done !== undefined);
    return done;
  };
  beforeEach(() => {
    told = [];
    queued = [];
    inner = new FakeExporter();
    exporter = new WatchedExporter(inner, {
      dropped: (reason, spans) => told.push(`${reason} ${spans}`),
      failing: (error) => told.push(`failing: ${error?.message}`),
      recovered: () => told.push('recovered'),
    });
    queue = new LimitedQueue(exporter, {
      onEnd: (span: ReadableSpan) => queued.push(span),
    } as unknown as BatchSpanProcessor);
  });

  test('loses no span unseen where the variable of the SDK asks for a smaller queue', async () => {
    process.env.OTEL_BSP_MAX_QUEUE_SIZE = '4';
    const opened = openQueue(exporter);
    delete process.env.OTEL_BSP_MAX_QUEUE_SIZE;
    // Less than a batch, so that none leaves by itself.
    for (let i = 0; i < 500; i++) opened.onEnd(spanWith(1));
    assert.equal(exporter.pending, 500);
    const flushed = opened.forceFlush();
    inner.calls[0]?.(SUCCESS);
    await flushed;
    assert.deepEqual([exporter.pending, told], [0, []]);
  });

  test('holds no more than the limit, those on their way included', () => {
    end(LIMIT);
    const done = post(512);
    end(3);
    assert.deepEqual(told, ['queue_full 1', 'queue_full 1', 'queue_full 1']);
    assert.equal(queued.length + 512, LIMIT);
    done(SUCCESS);
    end(513);
    assert.deepEqual(told.slice(3), ['done', 'queue_full 1']);
    assert.equal(exporter.pending, LIMIT);
  });

  test('is closed to spans that are not sampled', () => {
    queue.onEnd(spanWith(0));
    assert.deepEqual([exporter.pending, queued.length], [0, 0]);
  });

  test('tells of a failure once, and once that it is over', () => {
    end(5);
    for (const result of [FAILED, FAILED, SUCCESS, SUCCESS, FAILED]) post(1)(result);
    assert.deepEqual(
      told.filter((line) => line !== 'done'),
      ['export_failed 1', 'failing: down', 'export_failed 1', 'recovered', 'export_failed 1', 'failing: down'],
    );
    assert.equal(exporter.pending, 0);
  });

  test('gives a batch up that is never answered, and hears of it no more', (t) => {
    mock.timers.enable({ apis: ['setTimeout'] });
    t.after(() => mock.timers.reset());
    end(2);
    const done = post(2);
    mock.timers.tick(30_000);
    assert.deepEqual(told, ['export_failed 2', 'failing: no whole answer within 30000 ms', 'done']);
    done(SUCCESS);
    assert.equal(told.length, 3);
    assert.equal(exporter.pending, 0);
  });
});
