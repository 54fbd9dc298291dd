// What all TLS contexts have in common, and when it changes: the CA of the clients, the keys of session tickets. Keys and
// session id context belong to one state of trust (CA, mode, allow rules): tickets of another one are not accepted, so
// that no resumed session bypasses a change (CVE-2025-23419 and CVE-2025-68121 are this defect elsewhere).
// A new state takes effect as a whole or not at all; if anything is wrong with a new CA, the old one stays.

import type { X509Certificate } from 'node:crypto';
import { ConfigError } from '../errors.ts';
import { BundleError, type BundleReason } from '../identity/bundle-error.ts';
import { frozenMount } from '../identity/disk/mounts.ts';
import { failed, type LastReload, succeeded } from '../identity/last-reload.ts';
import { sessionContextOf } from '../identity/session-context.ts';
import type { ClientTrust, SharedTls } from '../identity/tls-options.ts';
import { isRevoked } from './revocations.ts';
import { createTicketKeys } from './tickets.ts';
import { hasExpired, isStricter, readTrust, type Trust } from './trust.ts';

export type ClientAuth = 'off' | 'request' | 'require';

export type SharedSettings = {
  readonly minVersion: '1.2' | '1.3';
  readonly clientCa: string | undefined;
  readonly clientCrl?: string | undefined;
  readonly clientAuth: ClientAuth;
  /** The allow rules, as any text that differs when they do. */
  readonly rules: string;
};

export interface TrustObserver {
  /** Clients are verified by this from now on. */
  trusted(trust: Trust, path: string): void;
  reloaded(trust: Trust, path: string): void;
  /** A changed file was refused; called once for each content and reason. */
  refused(reason: BundleReason, message: string, path: string): void;
  /** The file holds again what is in force, after something that was refused. */
  restored(path: string): void;
  /** The file was taken, but will never see a renewal; `detail` says why. */
  frozen(detail: string, path: string): void;
  /** Whether the file holds something else than is in force. */
  differs(differs: boolean, path: string): void;
}

/** The state of the client CA, for /status. */
export type TrustState = {
  /** The path of --client-ca. */
  readonly name: string;
  readonly trust: Trust;
  /** Clients are verified by it. */
  readonly since: Date;
  readonly differs: boolean;
  readonly lastReload: LastReload | undefined;
};

export interface Shared {
  readonly current: SharedTls;
  /** Undefined where clients are asked for no certificate. */
  readonly clientCa: TrustState | undefined;
  /** Where each new state is applied. It may throw a BundleError: then the old state stays. */
  publishTo(publish: (next: SharedTls) => void): void;
  /** Whether the last change can have turned somebody away who was let in before. */
  readonly stricter: boolean;
  /** Whether a list of --client-crl names this certificate. */
  revoked(certificate: X509Certificate): boolean;
  /** Looks at the CA file now. True when clients are verified by another one from now on. */
  reload(): boolean;
  /** The allow rules have changed: earlier tickets are no longer accepted. */
  setRules(rules: string): void;
  rotateTicketKeys(): void;
}

/** Throws a ConfigError when the CA file cannot be used. */
export function openShared(settings: SharedSettings, now: () => Date, observer: TrustObserver): Shared {
  const { clientCa: path, clientAuth, rules } = settings;
  if (path === undefined || clientAuth === 'off')
    return new SharedState(settings, { trust: undefined, rules }, now, observer);
  const trust = first(path, settings.clientCrl, now());
  observer.trusted(trust, path);
  tellOfMount(path, observer);
  return new SharedState(settings, { trust, rules }, now, observer);
}

type State = { readonly trust: Trust | undefined; readonly rules: string };

class SharedState implements Shared {
  current: SharedTls;
  stricter = false;
  readonly #settings: SharedSettings;
  readonly #now: () => Date;
  readonly #observer: TrustObserver;
  #state: State;
  #publish: (next: SharedTls) => void = () => {};
  #lastRefused = '';
  #since: Date;
  #differs = false;
  #lastReload: LastReload | undefined;

  constructor(settings: SharedSettings, state: State, now: () => Date, observer: TrustObserver) {
    this.#now = now;
    this.#since = now();
    this.#settings = settings;
    this.#observer = observer;
    this.#state = state;
    this.current = this.#make(state);
  }

  get clientCa(): TrustState | undefined {
    const { clientCa: name } = this.#settings;
    const { trust } = this.#state;
    if (name === undefined || trust === undefined) return undefined;
    return { name, trust, since: this.#since, differs: this.#differs, lastReload: this.#lastReload };
  }

  publishTo(publish: (next: SharedTls) => void): void {
    this.#publish = publish;
  }

  reload(): boolean {
    const { clientCa: path } = this.#settings;
    if (path === undefined || this.#state.trust === undefined) return false;
    try {
      return this.#take(path);
    } catch (error) {
      if (!(error instanceof BundleError)) throw error;
      this.#refuse(error, path);
      return false;
    }
  }

  revoked(certificate: X509Certificate): boolean {
    const lists = this.#state.trust?.revocations;
    return lists !== undefined && isRevoked(lists, certificate);
  }

  setRules(rules: string): void {
    this.#enter({ ...this.#state, rules });
  }

  rotateTicketKeys(): void {
    this.#enter(this.#state);
  }

  #take(path: string): boolean {
    const before = this.#state.trust;
    const trust = readTrust({ ca: path, crl: this.#settings.clientCrl, now: this.#now(), before });
    const changed = trust.digest !== before?.digest;
    if (changed) this.stricter = before === undefined || isStricter(before, trust);
    const wasRefused = this.#lastRefused !== '';
    if (changed) this.#enter({ ...this.#state, trust });
    this.#lastRefused = '';
    this.#differs = false;
    this.#observer.differs(false, path);
    if (changed) {
      this.#since = this.#now();
      this.#lastReload = succeeded('changed', this.#since);
      this.#observer.reloaded(trust, path);
      tellOfMount(path, this.#observer);
    } else if (wasRefused) {
      this.#lastReload = succeeded('restored', this.#now());
      this.#observer.restored(path);
    }
    return changed;
  }

  #refuse(error: BundleError, path: string): void {
    const { reason, message } = error;
    this.#differs = true;
    this.#observer.differs(true, path);
    if (message === this.#lastRefused) return;
    this.#lastRefused = message;
    this.#lastReload = failed(error, this.#now());
    this.#observer.refused(reason, message, path);
  }

  #enter(state: State): void {
    const next = this.#make(state);
    this.#publish(next);
    this.current = next;
    this.#state = state;
  }

  /** Where a client may come without a certificate, an expired list does not turn away who has one. */
  #trustOf({ ca, revocations }: Trust): ClientTrust {
    const required = this.#settings.clientAuth === 'require';
    if (revocations === undefined || (!required && hasExpired(revocations, this.#now()))) return { ca, required };
    return { ca, required, crl: revocations.pem };
  }

  #make({ trust, rules }: State): SharedTls {
    const { minVersion, clientAuth } = this.#settings;
    return {
      ticketKeys: createTicketKeys(),
      sessionIdContext: sessionContextOf(clientAuth, trust?.digest ?? '', rules),
      minVersion: minVersion === '1.3' ? 'TLSv1.3' : 'TLSv1.2',
      trust: trust && this.#trustOf(trust),
    };
  }
}

function tellOfMount(path: string, observer: TrustObserver): void {
  const detail = frozenMount(path);
  if (detail !== undefined) observer.frozen(detail, path);
}

function first(path: string, crl: string | undefined, now: Date): Trust {
  try {
    return readTrust({ ca: path, crl, now });
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    const flag = crl !== undefined && error.message.includes(crl) ? '--client-crl' : '--client-ca';
    throw new ConfigError([`${flag}: ${error.message}`], { cause: error });
  }
}
