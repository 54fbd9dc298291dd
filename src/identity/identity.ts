// The identity that is served: all pairs, each checked on its own, and the choice among them. While one pair is broken on
// disk, its old content and the other pairs are served. It knows nothing of HTTP.

import { ConfigError } from '../errors.ts';
import { BundleError } from './bundle-error.ts';
import type { PairPaths } from './files.ts';
import { Pair, type PairObserver, type PairState, type Served } from './pair.ts';
import { createChoice, type TlsChoice } from './sni/choice.ts';
import { type SharedTls, tlsOptions } from './tls-options.ts';

export type IdentityObserver = PairObserver;

export interface Identity {
  /** In the order in which they were given; the first that is served is the default. */
  readonly pairs: readonly PairState[];
  /** The TLS settings of what is served at this moment; empty while that is nothing. */
  readonly tls: TlsChoice;
  /** Looks at the files now. True when a new pair was taken. */
  reload(): boolean;
  /** As reload(), but true when afterwards every pair is served as it stands on disk. */
  catchUp(): boolean;
  /** The same pairs with other settings. Throws a BundleError, and then changes nothing, where they do not fit. */
  rebuild(shared: SharedTls): void;
  /** Called after every change of `tls`; returns the unsubscribe. */
  onChange(listener: (tls: TlsChoice) => void): () => void;
  /** Resolves with true once a pair is served, with false when `stopping` comes first. */
  whenServed(stopping: AbortSignal): Promise<boolean>;
}

export type IdentityOptions = {
  readonly pairs: readonly PairPaths[];
  /** Start without a usable pair, and wait for one. */
  readonly wait: boolean;
  readonly shared: SharedTls;
  readonly now: () => Date;
  readonly observer: IdentityObserver;
};

const NOTHING: TlsChoice = { fallback: {}, choose: undefined };

/** Throws a ConfigError when a first pair cannot be served. An expired one can: it is better than none. */
export function openIdentity(options: IdentityOptions): Identity {
  let { shared } = options;
  const observer = options.wait ? options.observer : { ...options.observer, waiting() {} };
  const pairs = options.pairs.map((paths) => new Pair(paths, options.now, observer));
  const listeners = new Set<(tls: TlsChoice) => void>();
  let tls = NOTHING;
  const publish = (): void => {
    const served = pairs.flatMap((pair) => pair.served ?? []);
    if (!isSome(served)) return;
    tls = createChoice(served, options.now());
    for (const listener of listeners) listener(tls);
  };
  const reload = (): boolean => {
    const { taken } = takeAll(pairs, shared);
    const aged = pairs.filter((pair) => pair.age());
    if (taken || aged.length > 0) publish();
    return taken;
  };
  const { problems } = takeAll(pairs, shared);
  if (problems.length > 0 && !options.wait) throw new ConfigError(problems);
  publish();

  return {
    pairs,
    get tls() {
      return tls;
    },
    reload,
    catchUp() {
      reload();
      return pairs.every(({ served, differs }) => served !== undefined && !differs);
    },
    rebuild(next) {
      const rebuilt = pairs.map(({ served }) => served && tlsOptions(served.bundle, next, served.name));
      shared = next;
      for (const [at, pair] of pairs.entries()) pair.withTls(rebuilt[at] ?? {});
      publish();
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    whenServed: (stopping) =>
      new Promise((resolve) => {
        const found = (): void => {
          listeners.delete(found);
          resolve(true);
        };
        if (tls !== NOTHING) return found();
        listeners.add(found);
        if (stopping.aborted) resolve(false);
        stopping.addEventListener('abort', () => resolve(false), { once: true });
      }),
  };
}

/** Looks at every pair, even if another one is broken. */
function takeAll(pairs: readonly Pair[], shared: SharedTls): { taken: boolean; problems: string[] } {
  const problems: string[] = [];
  let taken = false;
  for (const pair of pairs) {
    try {
      taken = pair.take(shared) || taken;
    } catch (error) {
      if (!(error instanceof BundleError)) throw error;
      problems.push(
        `${error.message}${error.reason === 'missing' ? '; see --cert and --key' : ''}${pair.advice(error)}`,
      );
    }
  }
  return { taken, problems };
}

function isSome(served: Served[]): served is [Served, ...Served[]] {
  return served.length > 0;
}
