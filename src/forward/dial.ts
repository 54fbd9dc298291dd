// How a socket to the app is opened: TCP or unix, names resolved once where they cannot change. It never reads or writes.

import { lookup } from 'node:dns';
import { connect, type LookupFunction, type OnReadOpts, type Socket } from 'node:net';
import type { UpstreamAddress } from '../net/addresses.ts';
import { eachFamilyOf } from '../net/families.ts';

/** What is gathered for the app before it is written. */
const WRITE_BYTES = 65_536;

/** Opens one socket; `onread` is Node's option for reading into buffers of the caller. */
export type Dial = (onread: OnReadOpts | undefined) => Socket;

export function createDial(upstream: UpstreamAddress): Dial {
  const resolve = upstream.kind === 'tcp' && upstream.host === 'localhost' ? rememberingLookup() : lookup;
  return (onread) => dial(upstream, resolve, onread);
}

function dial(upstream: UpstreamAddress, resolve: LookupFunction, onread: OnReadOpts | undefined): Socket {
  // Half-open on our side: a tunnel passes the end of one direction on by itself; for the rest, the reader ends.
  const options = {
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 60_000,
    allowHalfOpen: true,
    writableHighWaterMark: WRITE_BYTES,
    ...(onread && { onread }),
  };
  if (upstream.kind === 'unix') return connect({ ...options, path: upstream.path });
  const { host, port } = upstream;
  return connect({ ...options, host, port, lookup: resolve, ...eachFamilyOf(host) });
}

/** Resolves once and keeps the answer: the addresses of `localhost` do not change while a Pod lives. */
function rememberingLookup(): LookupFunction {
  type Callback = Parameters<LookupFunction>[2];
  let known: Parameters<Callback>[1] | undefined;
  return (hostname, options, callback) => {
    if (known !== undefined) return callback(null, known);
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error === null && addresses.length > 0) known = addresses;
      callback(error, addresses);
    });
  };
}
