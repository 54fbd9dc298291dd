// The allow rules: which verified clients are admitted. Any match admits; without a rule everybody is. The verdict on a
// certificate is taken once and kept until the rules are replaced. Pure but for that memory.

import type { Peer } from './peer.ts';

/** Patterns; `*` stands for one or more characters of one label or segment, never for a dot or a slash. */
export type AllowRules = {
  readonly cn: readonly string[];
  readonly ou: readonly string[];
  readonly dns: readonly string[];
  readonly uri: readonly string[];
};

export interface Admission {
  /** Whether there is any rule: then nobody passes without a match. */
  readonly restricted: boolean;
  admits(peer: Peer): boolean;
}

export interface ReplaceableAdmission extends Admission {
  /** Every client is judged anew. False when these are the rules that it has. */
  replace(rules: AllowRules): boolean;
}

export function createAdmission(initial: AllowRules): ReplaceableAdmission {
  let rules = initial;
  let verdicts = new WeakMap<Peer, boolean>();
  return {
    get restricted() {
      return isRestricted(rules);
    },
    admits(peer) {
      const known = verdicts.get(peer);
      if (known !== undefined) return known;
      const verdict = !isRestricted(rules) || isAllowed(rules, peer);
      verdicts.set(peer, verdict);
      return verdict;
    },
    replace(next) {
      if (JSON.stringify(next) === JSON.stringify(rules)) return false;
      rules = next;
      verdicts = new WeakMap();
      return true;
    },
  };
}

export function isRestricted({ cn, ou, dns, uri }: AllowRules): boolean {
  return cn.length + ou.length + dns.length + uri.length > 0;
}

export function isAllowed({ cn, ou, dns, uri }: AllowRules, peer: Peer): boolean {
  return (
    anyMatch(cn, peer.commonNames) ||
    anyMatch(ou, peer.units) ||
    // RFC 4343: letter case means nothing in DNS.
    anyMatch(dns.map(lower), peer.dns.map(lower)) ||
    anyMatch(uri, peer.uris)
  );
}

function lower(text: string): string {
  return text.toLowerCase();
}

function anyMatch(patterns: readonly string[], values: readonly string[]): boolean {
  return patterns.some((pattern) => values.some((value) => matches(pattern, value)));
}

/**
 * Dots and slashes stand for themselves, so that pattern and value are compared piece by piece between them. No regular
 * expression is made of a pattern: with several stars it could take a client's long name for hours.
 */
export function matches(pattern: string, value: string): boolean {
  const wanted = pattern.split(/([./])/);
  const pieces = value.split(/([./])/);
  return wanted.length === pieces.length && wanted.every((piece, i) => matchesPiece(piece, pieces[i] as string));
}

/** What stands before the first star, after the last, and between them in order; each star takes at least one character. */
function matchesPiece(pattern: string, value: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return first === value;
  if (!value.startsWith(first) || !value.endsWith(last)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = value.indexOf(part, at + 1);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at + 1 <= value.length - last.length;
}
