// What `check` finds about client certificates: the file of --client-ca, its dates, and who would be admitted.

import { isRestricted } from '../../clients/allow.ts';
import { readTrust } from '../../clients/trust.ts';
import { allowRulesOf, clientAuthOf } from '../../config/client-rules.ts';
import type { Config } from '../../config/config.ts';
import { BundleError } from '../../identity/bundle-error.ts';
import { isValidAt } from '../../identity/dates.ts';
import type { Finding } from './finding.ts';
import { checkMount } from './mount.ts';

/** Nothing if clients are not asked for a certificate. */
export function checkClients(config: Config): readonly Finding[] {
  const now = new Date();
  const { clientCa } = config;
  const auth = clientAuthOf(config);
  if (auth === 'off' || clientCa === undefined) return [];
  try {
    const { certificates } = readTrust(clientCa);
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
      admitted(config, auth),
      ...checkMount(clientCa),
    ];
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    return [{ level: 'failed', text: `--client-ca: ${error.message}` }];
  }
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
