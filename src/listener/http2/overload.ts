// Which exchange of a connection has to end where what waits leaves no room for what does not: of those that wait for the
// app, the one that holds most. What the app has begun to take goes on.

import type { Http2Exchange } from './exchange.ts';

/** False: none of them waits. */
export function shedLargest(exchanges: Iterable<Http2Exchange>): boolean {
  let largest: Http2Exchange | undefined;
  let most = 0;
  for (const exchange of exchanges) {
    const bytes = exchange.waitingBytes;
    if (bytes <= most) continue;
    most = bytes;
    largest = exchange;
  }
  largest?.exceeded();
  return largest !== undefined;
}
