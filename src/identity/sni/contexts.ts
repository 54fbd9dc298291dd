// Which certificate a client is shown: the one of its name (exact, then wildcard), else the first. Pairs with different
// kinds of key for one name stand in one context, from which OpenSSL takes ECDSA for whoever can do it, else RSA.

import { createSecureContext, type SecureContext, type TlsOptions } from 'node:tls';
import type { Bundle } from '../bundle.ts';
import { canonical, namesOf, wildcardOf } from './names.ts';

export type Credentials = { readonly bundle: Bundle; readonly tls: TlsOptions };

export interface Contexts {
  /** For clients without a name, or with an unknown one. */
  readonly fallback: TlsOptions;
  /** Undefined stands for the fallback. */
  choose(serverName: string): SecureContext | undefined;
}

/** At least one pair; the first is the default. */
export function createContexts(pairs: readonly [Credentials, ...Credentials[]]): Contexts {
  const [first] = pairs;
  const names = new Map(pairs.map((pair) => [pair, namesOf(pair.bundle)]));
  const bearersOf = (name: string): Credentials[] => pairs.filter((pair) => names.get(pair)?.includes(name));
  const beside = pairs.filter((pair) => standsFor(pair.bundle, first.bundle));
  const fallback = oneOfEachKind([first, ...beside]);
  const made: { readonly group: readonly Credentials[]; readonly context: SecureContext }[] = [];
  const contextOf = (group: readonly Credentials[]): SecureContext | undefined => {
    if (isSame(group, fallback)) return undefined;
    const known = made.find((one) => isSame(one.group, group));
    if (known !== undefined) return known.context;
    const context = createSecureContext(together(group));
    made.push({ group, context });
    return context;
  };
  const byName = new Map<string, SecureContext | undefined>();
  for (const name of new Set([...names.values()].flat())) byName.set(name, contextOf(oneOfEachKind(bearersOf(name))));
  return {
    fallback: together(fallback),
    choose(serverName) {
      const name = canonical(serverName);
      return byName.has(name) ? byName.get(name) : byName.get(wildcardOf(name));
    },
  };
}

/** Whether the one names all that the other does; addresses count, as their clients send no name. */
function standsFor(one: Bundle, other: Bundle): boolean {
  const own = one.names.split(', ');
  return other.names !== '' && other.names.split(', ').every((name) => own.includes(name));
}

/**
 * Why these cannot be told apart by name, or undefined. Node copies only one certificate of the chosen context, and before
 * Node 24 leaves the default's of other kinds in place: with different kinds of key for different names a client could be
 * shown the wrong one.
 */
export function mixedKinds(bundles: readonly Bundle[]): string | undefined {
  const names = bundles.map((bundle) => namesOf(bundle).sort().join(' '));
  const kinds = new Set(bundles.map(kindOf));
  if (kinds.size < 2 || new Set(names).size < 2) return undefined;
  return `the certificates of --cert have different names and different kinds of key (${[...kinds].join(', ')}), and Node may show a client the wrong one; use one kind of key for all names`;
}

function kindOf({ keyKind }: Bundle): string {
  return keyKind.split(' ', 1)[0] ?? '';
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
