// HTTP/1.1 straight to pooled sockets: the head is written as one text, the answer is read by our own parser. No promise,
// closure or stream for an ordinary exchange: measured at a quarter of the CPU time of http-proxy (32 and 133 us a small
// request, nginx 21).

import type { Borrower } from '../borrower.ts';
import { createDial } from '../dial.ts';
import { Pool } from '../pool.ts';
import type { Lender, Transport } from '../transport.ts';
import type { ForwarderOptions } from '../upstream.ts';
import { AppConnection } from './connection.ts';
import { SharedReads } from './shared-reads.ts';

export function createWire(options: ForwarderOptions): Lender {
  const dialSocket = createDial(options.upstream);
  const reads = new SharedReads();
  /** What may become a tunnel is read as a stream: its bytes go to a pipe in the end. */
  const dial = (pool: Pool<Transport, AppConnection>, { upgrades }: Borrower<Transport>): AppConnection => {
    const connection = new AppConnection(pool, options);
    const read = upgrades ? undefined : reads.into(connection);
    const socket = dialSocket(read?.onread);
    connection.attach(socket);
    if (read === undefined) socket.on('data', (bytes) => connection.take(bytes, undefined));
    else socket.on('close', read.closed);
    return connection;
  };
  const pool = new Pool<Transport, AppConnection>({ ...options, maxMembers: options.limits.maxConnections, dial });
  return {
    keepsBody: false,
    borrow: (borrower) => pool.borrow(borrower),
    forget: (borrower) => pool.forget(borrower),
    lasts: (borrower) => pool.lasts(borrower),
    close: () => pool.close(),
  };
}
