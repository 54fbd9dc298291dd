// What a session to the app is given, and whom it tells what becomes of it.

import type { Pool } from '../pool.ts';
import type { Transport } from '../transport.ts';
import type { ForwarderOptions } from '../upstream.ts';
import type { AppSession } from './session.ts';

/** Who is told what becomes of a session. */
export type Owner = Pick<
  Pool<Transport, AppSession>,
  'begun' | 'ended' | 'sized' | 'crowded' | 'offer' | 'retire' | 'left'
>;
export type SessionOptions = Pick<ForwarderOptions, 'limits' | 'clock' | 'deadlines' | 'crashed' | 'account'>;
