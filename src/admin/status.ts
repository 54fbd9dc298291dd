// The answer to GET /status, for people and scripts: what is served and counted at that moment, never what is on disk. It
// holds no key and nothing about single requests.

import type { RevocationList } from '../clients/revocations.ts';
import type { TrustState } from '../clients/shared.ts';
import type { Trust } from '../clients/trust.ts';
import { isExpired, isValidAt } from '../identity/dates.ts';
import type { PairState, Served } from '../identity/pair.ts';
import type { State } from '../lifecycle/lifecycle.ts';
import type { NamedApp } from './health.ts';

export type About = {
  readonly version: string;
  readonly now: () => Date;
  readonly pairs: readonly PairState[];
  readonly trust: { readonly clientCa: TrustState | undefined };
  /** What is in force, and where each value came from. */
  readonly configuration: () => object;
};

export interface Activity {
  activity(): {
    readonly connections: Readonly<Record<string, number>>;
    readonly requestsInFlight: number;
    readonly bufferedBytes: number;
  };
}

export type StatusOptions = {
  readonly state: () => State;
  readonly apps: readonly NamedApp[];
  readonly metrics: Activity;
  readonly about: About;
};

/** By which an answer of /status is recognised as one of ours. */
export const PROGRAM = 'tls-sidecar';

export function createStatus({ state, apps, metrics, about }: StatusOptions): () => Promise<object> {
  const { version, now, pairs, trust, configuration } = about;
  const started = now();
  return async () => ({
    program: PROGRAM,
    version,
    pid: process.pid,
    node: process.version,
    openssl: process.versions.openssl,
    started,
    uptimeSeconds: Math.round((now().getTime() - started.getTime()) / 1000),
    state: state(),
    draining: state() === 'draining',
    app: await appStatus(apps),
    ...metrics.activity(),
    certificates: pairs.map((pair) => certificateStatus(pair, now())),
    clientCa: trust.clientCa === undefined ? null : authorityStatus(trust.clientCa, now()),
    configuration: configuration(),
  });
}

/** `accepts` is of all of them; where there are several, each is told, too. */
async function appStatus(apps: readonly NamedApp[]): Promise<object> {
  const upstreams = await Promise.all(
    apps.map(async ({ name, health }) => ({ upstream: name, accepts: await health.accepts() })),
  );
  const [only, ...others] = upstreams;
  if (only !== undefined && others.length === 0) return only;
  return { accepts: upstreams.every(({ accepts }) => accepts), upstreams };
}

function certificateStatus({ name, served, differs, lastReload }: PairState, now: Date): object {
  return {
    name,
    served: served === undefined ? null : servedStatus(served, now),
    diskDiffers: differs,
    lastReload: lastReload ?? null,
  };
}

function servedStatus({ bundle, source, since, warnings }: Served, now: Date): object {
  const { subject, issuer, names, serial, sha256, notBefore, notAfter, keyKind, chainLength } = bundle;
  const withinDates = isValidAt(bundle, now);
  const facts = { subject, issuer, names: names === '' ? [] : names.split(', '), serial, sha256, keyKind, chainLength };
  return { ...facts, notBefore, notAfter, withinDates, source, since, warnings };
}

function listStatus(list: RevocationList, { certificates }: Trust, now: Date): object {
  const issuer = certificates.find(({ name }) => name === list.issuer)?.subject ?? null;
  const { thisUpdate, nextUpdate = null, revoked } = list;
  return { issuer, thisUpdate, nextUpdate, revoked, expired: isExpired(list, now) };
}

function authorityStatus({ name, trust, since, differs, lastReload }: TrustState, now: Date): object {
  const authorities = trust.certificates.map(({ name: _, ...one }) => ({ ...one, withinDates: isValidAt(one, now) }));
  const { revocations } = trust;
  const lists = revocations?.lists.map((list) => listStatus(list, trust, now));
  const crl = revocations === undefined ? null : { name: revocations.path, sha256: revocations.digest, lists };
  return { name, sha256: trust.digest, authorities, crl, since, diskDiffers: differs, lastReload: lastReload ?? null };
}
