// What the options about client certificates come to together. Pure.

import type { Config } from './config.ts';

/** The value of --client-auth, or its default. */
export function clientAuthOf({ clientAuth, clientCa }: Config): 'off' | 'request' | 'require' {
  return clientAuth ?? (clientCa === undefined ? 'off' : 'require');
}

export function allowRulesOf({ allowCn, allowOu, allowDns, allowUri }: Config) {
  return { cn: allowCn, ou: allowOu, dns: allowDns, uri: allowUri };
}

/** Whether there is an allow rule. */
export function isRestricted(config: Config): boolean {
  return Object.values(allowRulesOf(config)).some((patterns) => patterns.length > 0);
}
