// THE table of the options of `serve`, out of the files in table/: flags, variables, keys of the file, --help, the README's
// table and the type of the configuration all come from here, in this order.

import { LIMIT_OPTIONS } from './table/limits.ts';
import { OPERATION_OPTIONS } from './table/operation.ts';
import { TLS_OPTIONS } from './table/tls.ts';
import { TRAFFIC_OPTIONS } from './table/traffic.ts';

export const OPTIONS = { ...TLS_OPTIONS, ...TRAFFIC_OPTIONS, ...LIMIT_OPTIONS, ...OPERATION_OPTIONS };

export function isList(name: OptionName): boolean {
  return 'list' in OPTIONS[name];
}

export type OptionName = keyof typeof OPTIONS;
export const OPTION_NAMES = Object.keys(OPTIONS) as OptionName[];

export const VARIABLE_PREFIX = 'TLS_SIDECAR_';

/** The variable of an option: `--upstream-timeout` is TLS_SIDECAR_UPSTREAM_TIMEOUT. */
export function variableOf(name: string): string {
  return `${VARIABLE_PREFIX}${name.replaceAll('-', '_').toUpperCase()}`;
}
