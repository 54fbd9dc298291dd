// Whether there are traces. Of an exchange they make a span; the SDK that does it is loaded only when spans are exported, so
// that nobody else pays for it.

import type { Clock, Exchange } from '../../exchange.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';

export interface Traces {
  /** Gives the exchange its span, as a child of what the client says. */
  started(exchange: Exchange): void;
  /** Exports what is left, and gives it up after a while. Never rejects. */
  close(): Promise<void>;
}

export type TracesOptions = {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly version: string;
  readonly clock: Clock;
};

/** `url`: where spans are posted to, as OTLP; undefined without traces. */
export async function openTraces(url: string | undefined, options: TracesOptions): Promise<Traces | undefined> {
  if (url === undefined) return undefined;
  const { startSdk } = await import('./sdk.ts');
  return startSdk(url, options);
}
