// Whether the app accepts connections: asked by dialling it for real. The answer is kept for a second, so that probes
// from many sides cost one dial.

import { connect } from 'node:net';
import type { Clock } from '../exchange.ts';

export type AppAddress = { readonly host: string; readonly port: number } | { readonly path: string };

export interface AppHealth {
  /** As of at most a second ago. */
  accepts(): Promise<boolean>;
  /** Dialled now, whatever was found a moment ago. */
  acceptsNow(): Promise<boolean>;
}

const KEEP_MS = 1000;

export function createAppHealth(address: AppAddress, timeoutMs: number, clock: Clock): AppHealth {
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

function dial(address: AppAddress, timeoutMs: number): Promise<boolean> {
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
