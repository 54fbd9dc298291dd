// The span of one exchange, from its head to its end, as the SDK keeps it. It is a child of what the client says
// (W3C Trace Context), or begins a trace.

import {
  type Context,
  createTraceState,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { Clock, Exchange } from '../../exchange.ts';
import type { ExchangeSpan } from '../../http/trace-context.ts';
import { isError, spanAttributes, spanName } from './attributes.ts';
import { type Parent, parentOf } from './parent.ts';

/** https://www.w3.org/TR/trace-context-2/#random-trace-id-flag: whoever keeps the trace's id keeps it. */
const RANDOM = 0x02;

export class RequestSpan implements ExchangeSpan {
  readonly traceparent: string;
  readonly root: boolean;
  readonly #span: Span;
  readonly #exchange: Exchange;
  readonly #clock: Clock;

  constructor(tracer: Tracer, exchange: Exchange, clock: Clock) {
    const parent = parentOf(exchange.headers);
    // A number below performance.now() is one of its readings to the SDK.
    const options = { kind: SpanKind.SERVER, startTime: exchange.startedMs };
    this.#span = tracer.startSpan(spanName(exchange), options, contextOf(parent));
    this.#exchange = exchange;
    this.#clock = clock;
    this.root = parent === undefined;
    const { traceId, spanId, traceFlags } = this.#span.spanContext();
    const flags = traceFlags | ((parent?.flags ?? 0) & RANDOM);
    this.traceparent = `00-${traceId}-${spanId}-0${flags}`;
  }

  end(): void {
    const span = this.#span;
    if (!span.isRecording()) return;
    span.setAttributes(spanAttributes(this.#exchange));
    if (isError(this.#exchange)) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end(this.#clock());
  }
}

function contextOf(parent: Parent | undefined): Context {
  if (parent === undefined) return ROOT_CONTEXT;
  const { traceId, spanId, flags, state } = parent;
  return trace.setSpanContext(ROOT_CONTEXT, {
    ...{ traceId, spanId, traceFlags: flags, isRemote: true },
    ...(state !== '' && { traceState: createTraceState(state) }),
  });
}
