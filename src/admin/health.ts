// Whether the app accepts connections: asked by dialling it for real. The answer is kept for a second, so that probes
// from many sides cost one dial.

import { connect } from 'node:net';
import type { Clock } from '../exchange.ts';

export type AppAddress = { readonly host: string; readonly port: number } | { readonly path: string };

export interface AppHealth {
  accepts(): Promise<boolean>;
}

const KEEP_MS = 1000;

export function createAppHealth(address: AppAddress, timeoutMs: number, clock: Clock): AppHealth {
  let asked: Promise<boolean> | undefined;
  let askedMs = Number.NEGATIVE_INFINITY;
  return {
    accepts() {
      const nowMs = clock();
      if (asked === undefined || nowMs - askedMs >= KEEP_MS) {
        askedMs = nowMs;
        asked = dial(address, timeoutMs);
      }
      return asked;
    },
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
