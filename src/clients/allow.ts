// The allow rules: which verified clients are admitted. Any match admits; without a rule everybody is. The answer
// for a certificate is found once and kept until the rules are replaced. Pure but for that memory.

import type { CertificateFacts } from './certificate.ts';

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
  admits(certificate: CertificateFacts): boolean;
}

export interface ReplaceableAdmission extends Admission {
  /** From now on every client is compared with these. False when they are the same as before. */
  replace(rules: AllowRules): boolean;
}

export function createAdmission(initial: AllowRules): ReplaceableAdmission {
  let rules = initial;
  let known = new WeakMap<CertificateFacts, boolean>();
  return {
    get restricted() {
      return isRestricted(rules);
    },
    admits(certificate) {
      const before = known.get(certificate);
      if (before !== undefined) return before;
      const admitted = !isRestricted(rules) || isAllowed(rules, certificate);
      known.set(certificate, admitted);
      return admitted;
    },
    replace(next) {
      if (JSON.stringify(next) === JSON.stringify(rules)) return false;
      rules = next;
      known = new WeakMap();
      return true;
    },
  };
}

export function isRestricted({ cn, ou, dns, uri }: AllowRules): boolean {
  return cn.length + ou.length + dns.length + uri.length > 0;
}

export function isAllowed({ cn, ou, dns, uri }: AllowRules, certificate: CertificateFacts): boolean {
  return (
    anyMatch(cn, certificate.commonNames) ||
    anyMatch(ou, certificate.units) ||
    // RFC 4343: DNS ignores letter case.
    anyMatch(dns.map(lower), certificate.dns.map(lower)) ||
    anyMatch(uri, certificate.uris)
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
