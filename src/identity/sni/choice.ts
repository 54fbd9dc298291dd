// Which certificate a client is shown: the one of its name (exact, then wildcard), else the first. Pairs with different
// kinds of key for one name are offered together, and OpenSSL takes ECDSA for clients that support it, else RSA. A pair
// outside its dates is shown only where none is inside them.

import type { TlsOptions } from 'node:tls';
import { type Bundle, kindOf } from '../bundle.ts';
import { isValidAt } from '../dates.ts';
import { sessionContextOf } from '../session-context.ts';
import { canonical, namesOf, wildcardOf } from './names.ts';

export type Credentials = { readonly bundle: Bundle; readonly tls: TlsOptions };

/** The settings of one TLS server for each group of pairs; of a group of one, the pair's own. */
export type TlsChoice = {
  /** For clients without a name, or with an unknown one. */
  readonly fallback: TlsOptions;
  /** By the name that a client asks for, in any spelling. Undefined where every name leads to the fallback. */
  readonly choose: ((serverName: string) => TlsOptions) | undefined;
};

type Pairs = [Credentials, ...Credentials[]];

/** At least one pair; the first is the default. Dates are compared with `now`. */
export function createChoice(pairs: Readonly<Pairs>, now: Date): TlsChoice {
  const [first] = pairs;
  const numbers = new Map(pairs.map((pair, at) => [pair, at]));
  const groups = new Map<string, TlsOptions>();
  const optionsOf = (group: readonly Credentials[]): TlsOptions => {
    const key = group.map((pair) => numbers.get(pair)).join();
    const tls = groups.get(key) ?? together(group);
    groups.set(key, tls);
    return tls;
  };
  const beside = pairs.filter((pair) => pair === first || covers(pair.bundle, first.bundle));
  const fallback = optionsOf(oneOfEachKind(current(beside, now)));
  const byName = new Map([...shownByName(pairs, now)].map(([name, group]) => [name, optionsOf(group)]));
  if (groups.size === 1) return { fallback, choose: undefined };
  return {
    fallback,
    choose(serverName) {
      const name = canonical(serverName);
      return byName.get(name) ?? byName.get(wildcardOf(name)) ?? fallback;
    },
  };
}

type Named = Pick<Credentials, 'bundle'>;

/** The pairs that are shown for each name that a certificate has. */
export function shownByName<P extends Named>(pairs: readonly P[], now: Date): Map<string, readonly P[]> {
  const byName = new Map<string, P[]>();
  for (const pair of pairs) {
    for (const name of new Set(namesOf(pair.bundle))) {
      const named = byName.get(name);
      if (named === undefined) byName.set(name, [pair]);
      else named.push(pair);
    }
  }
  return new Map([...byName].map(([name, named]) => [name, oneOfEachKind(current(named, now))]));
}

/** Whether the one has all names of the other; addresses count, as clients that use one send no name. */
function covers(one: Bundle, other: Bundle): boolean {
  const own = new Set(one.names.split(', '));
  return other.names !== '' && other.names.split(', ').every((name) => own.has(name));
}

/** Those within their dates; all, if none is. */
function current<P extends Named>(pairs: readonly P[], now: Date): readonly P[] {
  const valid = pairs.filter(({ bundle }) => isValidAt(bundle, now));
  return valid.length > 0 ? valid : pairs;
}

/** The first of each kind: a context has room for one certificate of RSA, one of ECDSA, one of Ed25519. */
function oneOfEachKind<P extends Named>(pairs: readonly P[]): readonly P[] {
  const byKind = new Map<string, P>();
  for (const pair of pairs) if (!byKind.has(kindOf(pair.bundle))) byKind.set(kindOf(pair.bundle), pair);
  return [...byKind.values()];
}

function together(group: readonly Credentials[]): TlsOptions {
  const [first] = group as Pairs;
  if (group.length === 1) return first.tls;
  return {
    ...first.tls,
    cert: group.map(({ bundle }) => bundle.cert),
    key: group.map(({ bundle }) => bundle.key),
    sessionIdContext: sessionContextOf(...group.map(({ tls }) => String(tls.sessionIdContext))),
  };
}
