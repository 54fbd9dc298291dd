// HTTP/2 to the app in clear text, by prior knowledge: each exchange is a stream of a shared session, with trailers and
// cancellation both ways and the flow control of both ends coupled.

import type { Socket } from 'node:net';
import { createDial } from '../dial.ts';
import { Pool } from '../pool.ts';
import type { Lender, Transport } from '../transport.ts';
import { type ForwarderOptions, MAX_SESSIONS } from '../upstream.ts';
import { AppSession } from './session.ts';

const READ_BYTES = 65_536;

export function createH2c(options: ForwarderOptions): Lender {
  const dialSocket = createDial(options.upstream);
  // All sessions are read into the same memory, as wire's connections are.
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  const dial = (read: (bytes: Buffer) => void): Socket => {
    const callback = (length: number): boolean => {
      read(buffer.subarray(0, length));
      return true;
    };
    return dialSocket({ buffer, callback });
  };
  const pool = new Pool<Transport, AppSession>({
    ...options,
    maxMembers: Math.min(MAX_SESSIONS, options.limits.maxConnections),
    dial: (owner) => new AppSession(owner, dial, options),
  });
  return {
    keepsBody: true,
    borrow: (borrower) => pool.borrow(borrower),
    forget: (borrower) => pool.forget(borrower),
    lasts: (borrower) => pool.lasts(borrower),
    close: () => pool.close(),
  };
}
