// Whether the app accepts connections, found out by connecting to it. The result is kept for a second, so that many probes
// cost the app one connection.

import { connect } from 'node:net';
import type { Clock } from '../exchange.ts';
import type { UpstreamAddress } from '../net/addresses.ts';

export interface AppHealth {
  /** As of at most a second ago. */
  accepts(): Promise<boolean>;
  /** Connects now, whatever was found a moment ago. */
  acceptsNow(): Promise<boolean>;
}

const KEEP_MS = 1000;

export function createAppHealth(address: UpstreamAddress, timeoutMs: number, clock: Clock): AppHealth {
  let asked: Promise<boolean> | undefined;
  let askedMs = Number.NEGATIVE_INFINITY;
  const acceptsNow = (): Promise<boolean> => {
    askedMs = clock();
    asked = dial(address, timeoutMs);
    return asked;
  };
  return {
    accepts: () => (asked === undefined || clock() - askedMs >= KEEP_MS ? acceptsNow() : asked),
    acceptsNow,
  };
}

function dial(address: UpstreamAddress, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ ...address, autoSelectFamily: true });
    const end = (accepted: boolean) => (): void => {
      resolve(accepted);
      socket.destroy();
    };
    socket.setTimeout(timeoutMs, end(false));
    socket.on('connect', end(true));
    socket.on('error', end(false));
  });
}
