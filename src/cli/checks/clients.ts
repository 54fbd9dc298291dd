// What `check` finds about client certificates: the file of --client-ca, its dates, and who would be admitted.

import { isRestricted } from '../../clients/allow.ts';
import type { Revocations } from '../../clients/revocations.ts';
import { readTrust, type TrustedCertificate } from '../../clients/trust.ts';
import { allowRulesOf, clientAuthOf } from '../../config/client-rules.ts';
import type { Config } from '../../config/config.ts';
import { BundleError } from '../../identity/bundle-error.ts';
import { isExpired, isValidAt } from '../../identity/dates.ts';
import type { Finding } from './finding.ts';
import { checkMount } from './mount.ts';

/** Nothing if clients are not asked for a certificate. */
export function checkClients(config: Config): readonly Finding[] {
  const now = new Date();
  const { clientCa, clientCrl: crl } = config;
  const auth = clientAuthOf(config);
  if (auth === 'off' || clientCa === undefined) return [];
  try {
    const { certificates, revocations } = readTrust({ ca: clientCa, crl, now });
    const outside = certificates.filter((authority) => !isValidAt(authority, now));
    const names = certificates.map(({ subject }) => subject).join('; ');
    return [
      { level: 'ok', text: `${clientCa} holds ${certificates.length} CA of clients: ${names}` },
      ...outside.map(({ subject, notBefore, notAfter }): Finding => {
        const dates = `${notBefore.toISOString()} to ${notAfter.toISOString()}`;
        return {
          level: 'warning',
          text: `--client-ca: ${subject} is valid from ${dates} only; its clients are refused`,
        };
      }),
      ...(revocations === undefined ? [] : listFindings(certificates, revocations, auth)),
      admitted(config, auth),
      ...checkMount(clientCa),
    ];
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    const flag = crl !== undefined && error.message.includes(crl) ? '--client-crl' : '--client-ca';
    return [{ level: 'failed', text: `${flag}: ${error.message}` }];
  }
}

/** With lists, OpenSSL wants a good one for every authority. */
function listFindings(
  authorities: readonly TrustedCertificate[],
  { path, lists }: Revocations,
  auth: string,
): readonly Finding[] {
  const now = new Date();
  const refused = auth === 'require' ? 'its clients are refused' : 'who was revoked since is let in';
  return authorities.map(({ subject, name }): Finding => {
    const list = lists.find(({ issuer }) => issuer === name);
    if (list === undefined)
      return { level: 'warning', text: `--client-crl: ${path} has no list of ${subject}; its clients are refused` };
    const until = list.nextUpdate?.toISOString();
    if (isExpired(list, now))
      return { level: 'warning', text: `--client-crl: the list of ${subject} has expired (${until}); ${refused}` };
    return { level: 'ok', text: `${path} has a list of ${subject}, ${list.revoked} revoked, good until ${until}` };
  });
}

function admitted(config: Config, auth: string): Finding {
  const rules = allowRulesOf(config);
  const told = Object.entries(rules).flatMap(([kind, patterns]) => patterns.map((name) => `${kind} ${name}`));
  if (isRestricted(rules)) return { level: 'ok', text: `clients (${auth}) are admitted by ${told.join(', ')}` };
  return {
    level: 'warning',
    text: `no allow rule: every certificate of ${config.clientCa} is admitted; narrow it with --allow-dns or --allow-uri`,
  };
}
