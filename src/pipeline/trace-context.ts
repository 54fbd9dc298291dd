// What the app is told of the trace, while spans are exported: our span is its parent. Where that span begins a trace, nothing
// that the client said of another one is left (https://www.w3.org/TR/trace-context/#mutating-the-traceparent-field).

import type { Exchange } from '../exchange.ts';
import type { RawHeaders } from '../http/fields.ts';

const TRACEPARENT = 'traceparent';
const TRACESTATE = 'tracestate';

export const traceContext = {
  name: 'traceContext',
  apply(exchange: Exchange): undefined {
    const { span, headers } = exchange;
    if (span === undefined) return;
    exchange.headers = without(headers, span.root ? [TRACEPARENT, TRACESTATE] : [TRACEPARENT]);
    exchange.added.push(TRACEPARENT, span.traceparent);
  },
};

/** The same list if it has none of them. */
function without(headers: RawHeaders, names: readonly string[]): RawHeaders {
  const isLeftOut = (name: string): boolean =>
    (name.length === TRACEPARENT.length || name.length === TRACESTATE.length) && names.includes(name.toLowerCase());
  let kept: RawHeaders | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (isLeftOut(name)) kept ??= headers.slice(0, i);
    else kept?.push(name, headers[i + 1] as string);
  }
  return kept ?? headers;
}
