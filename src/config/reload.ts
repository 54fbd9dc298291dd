// Which options a reload of the configuration changes at once, and which need a restart. It only compares.

import { isDeepStrictEqual } from 'node:util';
import { type Config, camel, type Loaded } from './config.ts';
import { OPTION_NAMES, type OptionName } from './options.ts';

const RELOADABLE: readonly OptionName[] = [
  ...(['allow-cn', 'allow-ou', 'allow-dns', 'allow-uri'] as const),
  ...(['max-body-size', 'rate-limit'] as const),
  ...(['drain-delay', 'drain-timeout', 'access-log', 'log-level'] as const),
];

/** What a reload leads to: from `after` what can change while running, the rest from `before`. */
export function inForceOf(before: Loaded, after: Loaded): Loaded {
  const taken = RELOADABLE.map(camel).map((key) => [key, after.config[key as keyof Config]]);
  const given = RELOADABLE.map((name) => [name, after.given[name]]);
  return {
    ...before,
    config: { ...before.config, ...Object.fromEntries(taken) },
    given: { ...before.given, ...Object.fromEntries(given) },
  };
}

export type Changes = { readonly inForce: readonly OptionName[]; readonly needRestart: readonly OptionName[] };

export function changesBetween(before: Config, after: Config): Changes {
  const changed = OPTION_NAMES.filter((name) => {
    const key = camel(name) as keyof Config;
    return !isDeepStrictEqual(before[key], after[key]);
  });
  return {
    inForce: changed.filter((name) => RELOADABLE.includes(name)),
    needRestart: changed.filter((name) => !RELOADABLE.includes(name)),
  };
}
