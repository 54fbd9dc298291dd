// How the last attempt to take a changed file ended, as /status tells it. Pure.

import type { BundleError, BundleReason } from './bundle-error.ts';

/** `restored`: after a failure the file holds again what is in force. */
export type LastReload = {
  readonly result: 'success' | 'failed';
  readonly reason: BundleReason | 'changed' | 'restored';
  readonly detail: string;
  readonly at: Date;
};

export function succeeded(reason: 'changed' | 'restored', at: Date): LastReload {
  return { result: 'success', reason, detail: '', at };
}

export function failed({ reason, message }: BundleError, at: Date): LastReload {
  return { result: 'failed', reason, detail: message, at };
}
