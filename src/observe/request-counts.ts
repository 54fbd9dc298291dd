// What every request counts, in plain numbers that are rendered when scraped: prom-client's own path hashes its labels
// every time (measured: 0.8 us a request). A method that nobody knows is `other`, so that no client makes a series.

import type { Exchange } from '../exchange.ts';
import { PROTOCOLS } from './metric-table.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'other'] as const;
const OTHER = METHODS.length - 1;

export type RequestCount = {
  readonly labels: { readonly method: string; readonly code: string; readonly protocol: string };
  readonly count: number;
};

export class RequestCounts {
  inFlight = 0;
  bytesIn = 0;
  bytesOut = 0;
  /** By (protocol, method, status), keyed by one small number. */
  readonly #ended = new Map<number, number>();

  started(): void {
    this.inFlight++;
  }

  /** Gives the index of its protocol. */
  finished({ bytesIn, bytesOut, protocol, method, status }: Exchange): number {
    this.inFlight--;
    this.bytesIn += bytesIn;
    this.bytesOut += bytesOut;
    const series = Math.max(0, PROTOCOLS.indexOf(protocol));
    const known = METHODS.indexOf(method as (typeof METHODS)[number]);
    const key = (series * METHODS.length + (known < 0 ? OTHER : known)) * 1000 + status;
    this.#ended.set(key, (this.#ended.get(key) ?? 0) + 1);
    return series;
  }

  /** All that have ended. */
  ended(): RequestCount[] {
    return [...this.#ended].map(([key, count]) => {
      const method = METHODS[Math.floor(key / 1000) % METHODS.length] as string;
      const protocol = PROTOCOLS[Math.floor(key / 1000 / METHODS.length)] as string;
      return { labels: { method, code: String(key % 1000), protocol }, count };
    });
  }
}
