// The names of a certificate, in the form in which names are compared: lower case, without a dot at the end. Pure.

import type { Bundle } from '../bundle.ts';

/** The DNS names, wildcards included; of a certificate without any, the common name, as old clients read it. */
export function namesOf({ names, subject }: Pick<Bundle, 'names' | 'subject'>): string[] {
  // Node quotes what could be misread, such as a name with a comma; that is no host name.
  const listed = names
    .split(', ')
    .filter((entry) => entry.startsWith('DNS:') && !entry.includes('"'))
    .map((entry) => canonical(entry.slice('DNS:'.length)));
  if (listed.length > 0) return listed;
  const commonName = /(?:^|, )CN=([^,]+)/.exec(subject)?.[1];
  return commonName === undefined ? [] : [canonical(commonName)];
}

export function canonical(name: string): string {
  const lower = name.toLowerCase();
  return lower.endsWith('.') ? lower.slice(0, -1) : lower;
}

/** The wildcard that matches the name, which covers one label only: `*.b.example` for `a.b.example`. */
export function wildcardOf(name: string): string {
  const dot = name.indexOf('.');
  return dot < 1 ? '' : `*${name.slice(dot)}`;
}
