// How the last attempt to take a changed file ended, as /status tells it. Pure.

import type { BundleError, BundleFault } from './fault.ts';

/** `restored`: after a fault the file holds again what is in force. */
export type LastReload = {
  readonly result: 'success' | 'failed';
  readonly reason: BundleFault | 'changed' | 'restored';
  readonly detail: string;
  readonly at: Date;
};

export function succeeded(reason: 'changed' | 'restored', at: Date): LastReload {
  return { result: 'success', reason, detail: '', at };
}

export function failed({ fault, message }: BundleError, at: Date): LastReload {
  return { result: 'failed', reason: fault, detail: message, at };
}
