// HTTP/2 to the app in clear text, by prior knowledge: each exchange is a stream of a shared session, with trailers and
// cancellation both ways and the flow control of both ends coupled.

import { createDial } from '../dial.ts';
import { Pool } from '../pool.ts';
import type { Lender, Transport } from '../transport.ts';
import { type ForwarderOptions, MAX_SESSIONS } from '../upstream.ts';
import { AppSession } from './session.ts';

export function createH2c(options: ForwarderOptions): Lender {
  const dialSocket = createDial(options.upstream);
  const pool = new Pool<Transport, AppSession>({
    ...options,
    maxMembers: Math.min(MAX_SESSIONS, options.limits.maxConnections),
    dial: (owner) => new AppSession(owner, dialSocket(undefined), options),
  });
  return {
    keepsBody: true,
    borrow: (borrower) => pool.borrow(borrower),
    forget: (borrower) => pool.forget(borrower),
    lasts: (borrower) => pool.lasts(borrower),
    close: () => pool.close(),
  };
}
