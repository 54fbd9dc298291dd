// Ends a TCP connection with an RST and nothing else.

import type { Socket } from 'node:net';

/**
 * Node's own resetAndDestroy() ends the socket first, so that a FIN goes out before the RST and the peer may take the end for
 * one in order (seen on Node 20 and 24). The flag that it sets, followed by destroy(), leaves the FIN out.
 */
export function sendReset(socket: Socket): void {
  if (!('resetAndClosing' in socket))
    throw new Error('this Node keeps no resetAndClosing flag: find its new way to an RST');
  socket.resetAndClosing = true;
  socket.destroy();
}
