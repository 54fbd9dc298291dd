// Which certificate a client is shown: the one of its name (exact, then wildcard), else the first. Pairs with different
// kinds of key for one name stand together, and OpenSSL takes ECDSA for whoever can do it, else RSA.

import type { TlsOptions } from 'node:tls';
import { type Bundle, kindOf } from '../bundle.ts';
import { canonical, namesOf, wildcardOf } from './names.ts';

export type Credentials = { readonly bundle: Bundle; readonly tls: TlsOptions };

/** The settings of one TLS server for each group of pairs; the same object for as long as they are the same. */
export type TlsChoice = {
  /** For clients without a name, or with an unknown one. */
  readonly fallback: TlsOptions;
  /** By the name that a client asks for, in any spelling. Undefined where every name leads to the fallback. */
  readonly choose: ((serverName: string) => TlsOptions) | undefined;
};

/** At least one pair; the first is the default. */
export function createChoice(pairs: readonly [Credentials, ...Credentials[]]): TlsChoice {
  const [first] = pairs;
  const names = new Map(pairs.map((pair) => [pair, namesOf(pair.bundle)]));
  const bearersOf = (name: string): Credentials[] => pairs.filter((pair) => names.get(pair)?.includes(name));
  const groups: { readonly members: readonly Credentials[]; readonly tls: TlsOptions }[] = [];
  const optionsOf = (members: readonly Credentials[]): TlsOptions => {
    const known = groups.find((group) => isSame(group.members, members));
    if (known !== undefined) return known.tls;
    const tls = together(members);
    groups.push({ members, tls });
    return tls;
  };
  const fallback = optionsOf(oneOfEachKind([first, ...pairs.filter(({ bundle }) => standsFor(bundle, first.bundle))]));
  const byName = new Map<string, TlsOptions>();
  for (const name of new Set([...names.values()].flat())) byName.set(name, optionsOf(oneOfEachKind(bearersOf(name))));
  if (groups.length === 1) return { fallback, choose: undefined };
  return {
    fallback,
    choose(serverName) {
      const name = canonical(serverName);
      return byName.get(name) ?? byName.get(wildcardOf(name)) ?? fallback;
    },
  };
}

/** Whether the one names all that the other does; addresses count, as their clients send no name. */
function standsFor(one: Bundle, other: Bundle): boolean {
  const own = one.names.split(', ');
  return other.names !== '' && other.names.split(', ').every((name) => own.includes(name));
}

/** The first of each kind: a context has room for one certificate of RSA, one of ECDSA, one of Ed25519. */
function oneOfEachKind(pairs: readonly Credentials[]): Credentials[] {
  return pairs.filter((pair, at) => pairs.findIndex((other) => kindOf(other.bundle) === kindOf(pair.bundle)) === at);
}

function together(group: readonly Credentials[]): TlsOptions {
  const [first] = group as readonly [Credentials, ...Credentials[]];
  if (group.length === 1) return first.tls;
  return { ...first.tls, cert: group.map(({ bundle }) => bundle.cert), key: group.map(({ bundle }) => bundle.key) };
}

function isSame(a: readonly Credentials[], b: readonly Credentials[]): boolean {
  return a.length === b.length && a.every((pair) => b.includes(pair));
}
