// One pair of files and what is served of them. The failure contract: a pair is taken whole or not at all; whatever is
// wrong with a new one, the old one stays, and the observer is told why once. It knows nothing of other pairs.

import { createHash } from 'node:crypto';
import type { TlsOptions } from 'node:tls';
import { type Bundle, type BundleWarning, parseBundle } from './bundle.ts';
import { BundleError, type BundleReason } from './bundle-error.ts';
import { isValidAt, stepsToEnd } from './dates.ts';
import { frozenMount } from './disk/mounts.ts';
import { type PairFiles, type PairPaths, readPair } from './files.ts';
import { failed, type LastReload, succeeded } from './last-reload.ts';
import { makeOne } from './make-one.ts';
import { type SharedTls, tlsOptions } from './tls-options.ts';

export type Served = {
  /** The path of the certificate, as it was given. */
  readonly name: string;
  readonly bundle: Bundle;
  readonly tls: TlsOptions;
  /** The directory that the files were really read from. */
  readonly source: string;
  readonly since: Date;
  readonly warnings: readonly BundleWarning[];
};

export interface PairObserver {
  /** There is nothing to serve yet; called once for each content and reason. */
  waiting(name: string, reason: BundleReason, message: string): void;
  /** The first pair is served. */
  opened(served: Served): void;
  /** A changed pair is served from now on. */
  reloaded(served: Served, previous: Served): void;
  /** A changed pair was refused; called once for each content and reason. */
  refused(name: string, reason: BundleReason, message: string): void;
  /** The files hold again what is served, after something that was refused. */
  restored(name: string): void;
  /** What is served is no longer within its dates, or is so now. */
  aged(served: Served): void;
  /** A third of its life is left, a tenth, or a day less of the last week: see stepsToEnd(). */
  nearsEnd(served: Served, leftMs: number): void;
  /** Whether the files hold something else than is served. */
  differs(name: string, differs: boolean): void;
}

/** The state of a pair, for log and /status. */
export interface PairState {
  readonly name: string;
  readonly served: Served | undefined;
  readonly differs: boolean;
  readonly lastReload: LastReload | undefined;
}

export class Pair implements PairState {
  readonly name: string;
  readonly #paths: PairPaths;
  readonly #now: () => Date;
  readonly #observer: PairObserver;
  #served: Served | undefined;
  #digest = '';
  /** What was refused last, so that it is reported once. */
  #lastRefused = '';
  #differs = false;
  /** Whether what is served was within its dates at the last look. */
  #valid = false;
  /** Of those to the end of what is served, how many steps have been told. */
  #steps = 0;
  #lastReload: LastReload | undefined;

  constructor(paths: PairPaths, now: () => Date, observer: PairObserver) {
    this.name = paths.cert;
    this.#paths = paths;
    this.#now = now;
    this.#observer = observer;
  }

  get served(): Served | undefined {
    return this.#served;
  }

  get differs(): boolean {
    return this.#differs;
  }

  get lastReload(): LastReload | undefined {
    return this.#lastReload;
  }

  /** Reads the files; true when a new pair was taken. Throws a BundleError where there is none to serve at all. */
  take(shared: SharedTls): boolean {
    let digest = '';
    try {
      const files = readPair(this.#paths);
      digest = digestOf(files);
      const previous = this.#served;
      if (digest !== this.#digest) this.#publish(this.#judge(files, shared), digest);
      else if (this.#lastRefused !== '') this.#restore();
      this.#settle();
      return this.#served !== previous;
    } catch (error) {
      if (!(error instanceof BundleError)) throw error;
      this.#refuse(error, digest);
      if (this.#served === undefined) throw error;
      return false;
    }
  }

  /** True when what is served has left its dates, or entered them, since the last call. */
  age(): boolean {
    if (this.#served === undefined) return false;
    this.#tellOfEnd(this.#served);
    const valid = isValidAt(this.#served.bundle, this.#now());
    if (valid === this.#valid) return false;
    this.#valid = valid;
    this.#observer.aged(this.#served);
    return true;
  }

  #tellOfEnd(served: Served): void {
    const now = this.#now();
    const steps = stepsToEnd(served.bundle, now);
    const leftMs = served.bundle.notAfter.getTime() - now.getTime();
    if (steps > this.#steps && leftMs > 0) this.#observer.nearsEnd(served, leftMs);
    this.#steps = steps;
  }

  /** What to do about an error of take(), if that is known. */
  advice(error: BundleError): string {
    return makeOne(error, this.#paths);
  }

  /** The same pair with other settings. */
  withTls(tls: TlsOptions): void {
    if (this.#served !== undefined) this.#served = { ...this.#served, tls };
  }

  #judge(files: PairFiles, shared: SharedTls): Served {
    const { cert: certPath } = this.#paths;
    const bundle = parseBundle({ certPath, keyPath: files.keyPath, cert: files.cert, key: files.key });
    if (this.#served !== undefined) judgeDates(certPath, bundle, this.#served.bundle, this.#now());
    const tls = tlsOptions(bundle, shared, certPath);
    const frozen = frozenMount(certPath) ?? frozenMount(files.keyPath);
    const subPath: BundleWarning[] = frozen === undefined ? [] : [{ reason: 'subpath_mount', text: frozen }];
    const warnings = [...bundle.warnings, ...subPath];
    return { name: this.name, bundle, tls, source: files.source, since: this.#now(), warnings };
  }

  #publish(served: Served, digest: string): void {
    const previous = this.#served;
    this.#served = served;
    this.#digest = digest;
    this.#steps = 0;
    this.#valid = isValidAt(served.bundle, served.since);
    if (previous === undefined) return this.#observer.opened(served);
    this.#lastReload = succeeded('changed', served.since);
    this.#observer.reloaded(served, previous);
  }

  #restore(): void {
    this.#lastReload = succeeded('restored', this.#now());
    this.#observer.restored(this.name);
  }

  #settle(): void {
    this.#lastRefused = '';
    this.#differs = false;
    this.#observer.differs(this.name, false);
  }

  #refuse(error: BundleError, digest: string): void {
    const { reason, message } = error;
    const told = `${reason} ${message} ${digest}`;
    const isNews = told !== this.#lastRefused;
    this.#lastRefused = told;
    if (this.#served === undefined) {
      if (isNews) this.#observer.waiting(this.name, reason, message);
      return;
    }
    this.#differs = true;
    this.#observer.differs(this.name, true);
    if (!isNews) return;
    this.#lastReload = failed(error, this.#now());
    this.#observer.refused(this.name, reason, message);
  }
}

function digestOf({ cert, key }: PairFiles): string {
  return createHash('sha256').update(cert).update('\0').update(key).digest('hex');
}

/** A pair outside its dates never replaces one inside them. */
function judgeDates(path: string, next: Bundle, served: Bundle, now: Date): void {
  if (!isValidAt(served, now)) return;
  if (next.notAfter <= now)
    throw new BundleError('expired', `the certificate in ${path} expired on ${next.notAfter.toISOString()}`);
  if (next.notBefore > now) {
    const from = next.notBefore.toISOString();
    throw new BundleError('not_yet_valid', `the certificate in ${path} is not valid before ${from}`);
  }
}
