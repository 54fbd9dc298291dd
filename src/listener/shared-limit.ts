// One limit of connections for several servers. Node counts for each server by itself, and closes what is above its limit
// before it has made a socket of it; so each server is allowed what the others leave.

import type { Server, Socket } from 'node:net';

/** In Node 20 a `maxConnections` of 0 is no limit (onconnection in lib/net.js). */
const NONE = -1;

export function limitTogether(servers: readonly Server[], maxConnections: number): void {
  const open = new Map(servers.map((server) => [server, 0]));
  let all = 0;
  const allow = (): void => {
    for (const [server, own] of open) {
      const room = maxConnections - (all - own);
      server.maxConnections = room > 0 ? room : NONE;
    }
  };
  const count = (server: Server, change: 1 | -1): void => {
    open.set(server, (open.get(server) ?? 0) + change);
    all += change;
    allow();
  };
  allow();
  // What a server is allowed changes with the others' connections only.
  if (servers.length === 1) return;
  for (const server of servers) {
    server.on('connection', (socket: Socket) => {
      count(server, 1);
      socket.once('close', () => count(server, -1));
    });
  }
}
