// Every pair as serve would read it: whether it can be served, until when, for which names, whether its mount sees
// renewals, and which pair is shown for a name that several have.

import { createTicketKeys } from '../../clients/tickets.ts';
import type { Config } from '../../config/config.ts';
import { type Bundle, kindOf, parseBundle } from '../../identity/bundle.ts';
import { BundleError } from '../../identity/bundle-error.ts';
import { type PairPaths, pairPaths, readPair } from '../../identity/files.ts';
import { makeOne } from '../../identity/make-one.ts';
import { shownByName } from '../../identity/sni/choice.ts';
import { namesOf } from '../../identity/sni/names.ts';
import { tlsOptions } from '../../identity/tls-options.ts';
import type { Finding } from './finding.ts';
import { checkMount } from './mount.ts';

const DAY_MS = 86_400_000;

export function checkCertificates(config: Config): Finding[] {
  const good: Good[] = [];
  const findings = pairPaths(config).flatMap((paths) => {
    const { bundle, findings } = checkPair(paths, config);
    if (bundle !== undefined) good.push({ name: paths.cert, bundle });
    return findings;
  });
  return [...findings, ...shared(good)];
}

function checkPair(
  paths: PairPaths,
  { waitForCert: waits, cert: given }: Config,
): { bundle: Bundle | undefined; findings: Finding[] } {
  try {
    const { cert, key, keyPath } = readPair(paths);
    const bundle = parseBundle({ certPath: paths.cert, keyPath, cert, key });
    const settings = { ticketKeys: createTicketKeys(), sessionIdContext: 'check', minVersion: 'TLSv1.2' } as const;
    tlsOptions(bundle, settings, paths.cert);
    const { subject, keyKind, chainLength, warnings } = bundle;
    const together =
      keyPath === paths.cert ? `${paths.cert} holds a pair` : `${paths.cert} and ${keyPath} belong together`;
    const text = `${together}: ${subject || 'no subject'}, ${keyKind}, chain of ${chainLength}`;
    const attention = warnings.map((warning): Finding => ({ level: 'warning', text: warning.text }));
    const facts: Finding[] = [
      { level: 'ok', text },
      dates(paths.cert, bundle, given.length === 1),
      ...names(paths.cert, bundle),
    ];
    const mounts = [...new Set([paths.cert, keyPath])].flatMap(checkMount);
    return { bundle, findings: [...facts, ...attention, ...mounts] };
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    const advice = waits ? '; --wait-for-cert waits for a pair that can be served' : makeOne(error, paths);
    const text = `${error.message}${advice}`;
    return { bundle: undefined, findings: [{ level: waits ? 'warning' : 'failed', text }, ...checkMount(paths.cert)] };
  }
}

function dates(path: string, { notBefore, notAfter }: Bundle, alone: boolean): Finding {
  const now = Date.now();
  const where = alone ? 'anyway' : 'for the names that no other --cert has';
  const served = `it would be served ${where}, and clients refuse it`;
  if (now < notBefore.getTime())
    return { level: 'warning', text: `${path} is not valid before ${notBefore.toISOString()}; ${served}` };
  if (now >= notAfter.getTime())
    return { level: 'warning', text: `${path} expired on ${notAfter.toISOString()}; ${served}: renew it` };
  const days = Math.floor((notAfter.getTime() - now) / DAY_MS);
  const text = `${path} is valid until ${notAfter.toISOString()}, for ${days} more days`;
  return days < 7 ? { level: 'warning', text: `${text}; renew it` } : { level: 'ok', text };
}

function names(path: string, { names }: Bundle): Finding[] {
  return names === '' ? [] : [{ level: 'ok', text: `${path} names ${names}` }];
}

type Good = { readonly name: string; readonly bundle: Bundle };

/** Pairs that are never shown for a name, as another one has it with the same kind of key. */
function shared(pairs: readonly Good[]): Finding[] {
  const shown = shownByName(pairs, new Date());
  return pairs.flatMap((pair) => {
    const kind = kindOf(pair.bundle);
    const hidden = namesOf(pair.bundle).filter((name) => {
      const group = shown.get(name) ?? [];
      return !group.includes(pair) && group.some(({ bundle }) => kindOf(bundle) === kind);
    });
    if (hidden.length === 0) return [];
    const text = `${pair.name} is not served for ${hidden.join(', ')}: another --cert with the same kind of key is`;
    return [{ level: 'warning', text: `${text}; leave one of them out` } satisfies Finding];
  });
}
