// The identity that is served, and its replacement. The failure contract: a pair is published whole or not at all;
// whatever is wrong with a new one, the old one stays, the observer is told why once, and the files are looked at
// again at the next hint. Knows nothing of HTTP.

import { createHash } from 'node:crypto';
import type { TlsOptions } from 'node:tls';
import { ConfigError } from '../errors.ts';
import { type Bundle, BundleError, type BundleFault, parseBundle } from './bundle.ts';
import { type PairPaths, readPair } from './files.ts';
import { type SharedTls, tlsOptions } from './tls-options.ts';

export type Served = { readonly bundle: Bundle; readonly tls: TlsOptions; readonly source: string };

export interface IdentityObserver {
  /** The first pair is served. */
  opened(served: Served): void;
  /** A changed pair is served from now on. */
  reloaded(served: Served, previous: Served): void;
  /** A changed pair was refused; called once for each content and reason. */
  refused(fault: BundleFault, message: string): void;
  /** Whether the files hold something else than is served. */
  differs(differs: boolean): void;
}

export interface Identity {
  readonly current: Served;
  /** Looks at the files now. True when a new pair was taken. */
  reload(): boolean;
  /** Makes the context anew with other shared settings; throws a BundleError, and then the old one stays. */
  rebuild(next: SharedTls): void;
  /** Returns the unsubscribe. */
  onChange(listener: (served: Served) => void): () => void;
}

export type IdentityOptions = {
  readonly paths: PairPaths;
  readonly shared: SharedTls;
  readonly now: () => Date;
  readonly observer: IdentityObserver;
};

/** Throws a ConfigError when the first pair cannot be served. An expired one can: it is all there is. */
export function openIdentity({ paths, shared: first, now, observer }: IdentityOptions): Identity {
  let shared = first;
  const listeners = new Set<(served: Served) => void>();
  let [current, digest] = open(paths, shared);
  let refusal = '';
  let seen = '';
  observer.opened(current);

  const take = (): boolean => {
    seen = '';
    const found = read(paths);
    seen = found.digest;
    if (found.digest === digest) return forgive();
    const served = toServed(paths, found, shared);
    judgeDates(served.bundle, current.bundle, now(), paths);
    const previous = current;
    [current, digest] = [served, found.digest];
    forgive();
    for (const listener of listeners) listener(served);
    observer.reloaded(served, previous);
    return true;
  };
  const forgive = (): false => {
    refusal = '';
    observer.differs(false);
    return false;
  };

  return {
    get current() {
      return current;
    },
    reload() {
      try {
        return take();
      } catch (error) {
        if (!(error instanceof BundleError)) throw error;
        observer.differs(true);
        const told = `${error.fault} ${error.message} ${seen}`;
        if (told !== refusal) observer.refused(error.fault, error.message);
        refusal = told;
        return false;
      }
    },
    rebuild(next) {
      current = { ...current, tls: tlsOptions(current.bundle, next) };
      shared = next;
      for (const listener of listeners) listener(current);
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function open(paths: PairPaths, shared: SharedTls): [Served, string] {
  try {
    const found = read(paths);
    return [toServed(paths, found, shared), found.digest];
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    throw new ConfigError([`${error.message}${error.fault === 'missing' ? '; see --cert and --key' : ''}`], {
      cause: error,
    });
  }
}

type Found = ReturnType<typeof readPair> & { readonly digest: string };

function read(paths: PairPaths): Found {
  const files = readPair(paths);
  const digest = createHash('sha256').update(files.cert).update('\0').update(files.key).digest('hex');
  return { ...files, digest };
}

function toServed(paths: PairPaths, { cert, key, source }: Found, shared: SharedTls): Served {
  const bundle = parseBundle({ certPath: paths.cert, keyPath: paths.key, cert, key });
  return { bundle, tls: tlsOptions(bundle, shared), source };
}

/** A pair outside its dates never replaces one inside them. */
function judgeDates(next: Bundle, served: Bundle, now: Date, paths: PairPaths): void {
  if (!isValidAt(served, now)) return;
  if (next.notAfter <= now)
    throw new BundleError('expired', `the certificate in ${paths.cert} expired on ${next.notAfter.toISOString()}`);
  if (next.notBefore > now) {
    throw new BundleError(
      'not_yet_valid',
      `the certificate in ${paths.cert} is not valid before ${next.notBefore.toISOString()}`,
    );
  }
}

/** Whether the moment lies within the certificate's dates. */
export function isValidAt({ notBefore, notAfter }: Pick<Bundle, 'notBefore' | 'notAfter'>, moment: Date): boolean {
  return notBefore <= moment && moment < notAfter;
}
