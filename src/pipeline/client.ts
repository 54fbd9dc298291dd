// The address of the client, for the log: the source that a balancer's PROXY header gave, else, behind a trusted proxy, the
// rightmost hop of X-Forwarded-For that is not trusted itself, else the TCP peer. It is always an IP address, never other
// text of a client.

import type { Exchange } from '../exchange.ts';
import type { RawHeaders } from '../http/fields.ts';
import { type AddressList, canonicalAddress } from '../net/addresses.ts';

/** No real chain of proxies is longer. */
const MAX_HOPS = 32;

export function client(trusted: AddressList) {
  return {
    name: 'client',
    apply(exchange: Exchange): undefined {
      const { peerAddress, remoteAddress } = exchange.connection;
      if (remoteAddress !== peerAddress || !trusted.has(peerAddress)) return;
      exchange.client = clientOf(exchange.headers, trusted) ?? peerAddress;
    },
  };
}

/** The rightmost hop that is not trusted; undefined when there is none, or what stands in its place is no address. */
function clientOf(headers: RawHeaders, trusted: AddressList): string | undefined {
  let hops = 0;
  for (let i = headers.length - 2; i >= 0; i -= 2) {
    if ((headers[i] as string).toLowerCase() !== 'x-forwarded-for') continue;
    let rest = headers[i + 1] as string;
    while (rest !== '') {
      const comma = rest.lastIndexOf(',');
      const hop = rest.slice(comma + 1).trim();
      rest = rest.slice(0, Math.max(0, comma));
      // RFC 9110 section 5.6.1: an empty member of a list is none.
      if (hop === '') continue;
      const address = addressOf(hop);
      if (address === undefined || !trusted.has(address)) return address;
      if (++hops === MAX_HOPS) return undefined;
    }
  }
  return undefined;
}

/** Some proxies write a port, too: `192.0.2.7:5000`, `[2001:db8::1]:5000`. */
function addressOf(hop: string): string | undefined {
  const [, bracketed, plain] = /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9.]{7,15}))(?::[0-9]{1,5})?$/.exec(hop) ?? [];
  const text = bracketed ?? plain ?? hop;
  if (bracketed !== undefined && !bracketed.includes(':')) return undefined;
  return text.includes('%') || text.length > 45 ? undefined : canonicalAddress(text);
}
