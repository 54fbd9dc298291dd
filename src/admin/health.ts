// Whether the app accepts connections, found out by connecting to it. The result is kept for a second, so that many probes
// cost the app one connection. While the app is down it is asked every second, and only then without anybody asking: so that
// its return is told.

import { connect } from 'node:net';
import type { Clock } from '../exchange.ts';
import type { UpstreamAddress } from '../net/addresses.ts';
import { eachFamilyOf } from '../net/families.ts';

/** Told of every change, and of the first result if the app is down then. Without it nothing is asked unasked. */
export type AppObserver = { readonly down: () => void; readonly up: () => void };

export interface AppHealth {
  /** As of at most a second ago. */
  accepts(): Promise<boolean>;
  /** Connects now, whatever was found a moment ago. */
  acceptsNow(): Promise<boolean>;
}

export interface WatchedApp extends AppHealth {
  /** As it was found last; up until somebody asked. */
  readonly isUp: boolean;
  /** An exchange found out that it does not. */
  refused(): void;
  close(): void;
}

/** With its address, as messages name it. */
export type NamedApp = { readonly name: string; readonly health: Pick<AppHealth, 'accepts'> };

const KEEP_MS = 1000;

export function createAppHealth(
  address: UpstreamAddress,
  timeoutMs: number,
  clock: Clock,
  observer?: AppObserver,
): WatchedApp {
  let asked: Promise<boolean> | undefined;
  let askedMs = Number.NEGATIVE_INFINITY;
  let isUp = true;
  let retry: NodeJS.Timeout | undefined;
  let closed = false;
  const found = (accepts: boolean): void => {
    if (closed || observer === undefined) return;
    if (accepts !== isUp) observer[accepts ? 'up' : 'down']();
    isUp = accepts;
    clearTimeout(retry);
    if (!isUp) retry = setTimeout(acceptsNow, KEEP_MS).unref();
  };
  const acceptsNow = (): Promise<boolean> => {
    askedMs = clock();
    asked = dial(address, timeoutMs);
    void asked.then(found);
    return asked;
  };
  return {
    get isUp() {
      return isUp;
    },
    accepts: () => (asked === undefined || clock() - askedMs >= KEEP_MS ? acceptsNow() : asked),
    acceptsNow,
    refused() {
      if (isUp) found(false);
    },
    close() {
      closed = true;
      clearTimeout(retry);
    },
  };
}

function dial(address: UpstreamAddress, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address.kind === 'tcp' ? { ...address, ...eachFamilyOf(address.host) } : address);
    const end = (accepted: boolean) => (): void => {
      resolve(accepted);
      socket.destroy();
    };
    // What has come in the meantime is read first: it may have been this process that had no time.
    socket.setTimeout(timeoutMs, () => setImmediate(end(false)));
    socket.on('connect', end(true));
    socket.on('error', end(false));
  });
}
