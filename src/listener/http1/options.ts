// What a connection of HTTP/1.x is given: who takes its exchanges, what its client is held to, who the client is.

import type { ClientConnection, Clock, Handler } from '../../exchange.ts';
import type { Connections } from '../connections.ts';
import type { Limits } from '../limits.ts';

export type Http1Options = {
  readonly handler: Handler;
  readonly limits: Limits;
  readonly connections: Pick<Connections, 'add' | 'delete' | 'announced' | 'draining' | 'isFresh' | 'idle' | 'busy'>;
  readonly clock: Clock;
};

export type ClientFacts = Pick<ClientConnection, 'remoteAddress' | 'peerAddress' | 'tls' | 'client' | 'account'>;
