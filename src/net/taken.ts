// How far a peer has come with reading what it is sent. A stream says 'drain' when all of it has been taken, which for a slow
// reader may be minutes; its handle tells of each byte.

import type { Duplex } from 'node:stream';

/** What Node keeps behind a socket (seen in 20.20 and 24.21); `_parent` is the TCP socket below TLS. */
type Handle = { readonly bytesWritten?: number; readonly writeQueueSize?: number; readonly _parent?: Handle };

/**
 * Bytes that have left this process for the socket's peer, TLS records included. It grows as the peer, or the system on its
 * behalf, takes them, and stands still while it takes none, whatever is written. 0 for a stream that is no socket.
 */
export function takenBytes(stream: Duplex): number {
  const handle = (stream as { readonly _handle?: Handle | null })._handle ?? undefined;
  const { bytesWritten = 0, writeQueueSize = 0 } = handle?._parent ?? handle ?? {};
  return bytesWritten - writeQueueSize;
}
