// How a connection is left so that its client can read the last answer: our direction ends, and what still comes is read and
// dropped, until the client has closed too or its time is over. Closing at once, with bytes unread, would make the system
// reset the connection, and the client lose what it had not read (RFC 9112 section 9.6).

import type { Duplex } from 'node:stream';
import type { ClientDeadline } from './deadline.ts';

/** Nobody else may listen for the socket's data any more. Its close follows; at a passed deadline it is the caller's to make. */
export function closeLingering(socket: Duplex, deadline: ClientDeadline): void {
  // What is written has to be taken first, as slowly as any answer.
  deadline.awaitTaking();
  socket.end(() => deadline.awaitClose());
  socket.on('data', drop);
  socket.resume();
}

function drop(): void {}
