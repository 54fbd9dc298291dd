// How spans leave the process: a queue with a limit before the SDK's own, and an eye on its exporter. What finds no room or is
// not taken is dropped and counted. That the collector fails is told once, and once that it takes spans again. No request
// ever waits for any of it.

import { TraceFlags } from '@opentelemetry/api';
import { ExportResultCode } from '@opentelemetry/core';
import {
  BatchSpanProcessor,
  type ReadableSpan,
  type SpanExporter,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace-base';

/** Spans that have ended and are neither exported nor dropped; as many as the SDK's queue has room for by default. */
const MAX_PENDING = 2048;
/** The SDK's exporter has time-outs of its own, but none for a collector that goes on answering very slowly. */
const MAX_EXPORT_MS = 30_000;

export type DropReason = 'queue_full' | 'export_failed';

export interface ExportObserver {
  dropped(reason: DropReason, spans: number): void;
  /** The first failure, and the first after a success. */
  failing(error: Error | undefined): void;
  recovered(): void;
}

type Done = Parameters<SpanExporter['export']>[1];

export class WatchedExporter implements SpanExporter {
  /** In the queue, or on their way. */
  pending = 0;
  readonly observer: ExportObserver;
  readonly #exporter: SpanExporter;
  #failing = false;

  constructor(exporter: SpanExporter, observer: ExportObserver) {
    this.#exporter = exporter;
    this.observer = observer;
  }

  export(spans: ReadableSpan[], done: Done): void {
    let over = false;
    const end: Done = (result) => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      this.#ended(spans.length, result.code === ExportResultCode.SUCCESS, result.error);
      done(result);
    };
    const error = new Error(`no whole answer within ${MAX_EXPORT_MS} ms`);
    const timer = setTimeout(() => end({ code: ExportResultCode.FAILED, error }), MAX_EXPORT_MS);
    this.#exporter.export(spans, end);
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }

  #ended(spans: number, taken: boolean, error: Error | undefined): void {
    this.pending -= spans;
    if (!taken) this.observer.dropped('export_failed', spans);
    if (taken !== this.#failing) return;
    this.#failing = !taken;
    if (taken) this.observer.recovered();
    else this.observer.failing(error);
  }
}

/**
 * The queue before `exporter`. The SDK's own is as large, whatever OTEL_BSP_MAX_QUEUE_SIZE says: what it drops it tells nobody, so
 * that those spans would count as pending for ever.
 */
export function openQueue(exporter: WatchedExporter): LimitedQueue {
  return new LimitedQueue(exporter, new BatchSpanProcessor(exporter, { maxQueueSize: MAX_PENDING }));
}

/** What is on its way counts, too: else a slow collector would hold several queues. */
export class LimitedQueue implements SpanProcessor {
  readonly #exporter: WatchedExporter;
  readonly #queue: BatchSpanProcessor;

  constructor(exporter: WatchedExporter, queue: BatchSpanProcessor) {
    this.#exporter = exporter;
    this.#queue = queue;
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) return;
    if (this.#exporter.pending >= MAX_PENDING) return this.#exporter.observer.dropped('queue_full', 1);
    this.#exporter.pending++;
    this.#queue.onEnd(span);
  }

  forceFlush(): Promise<void> {
    return this.#queue.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.#queue.shutdown();
  }
}
