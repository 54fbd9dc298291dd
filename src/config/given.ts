// What was written for an option and where, for people who ask what is in force and why. Pure.

import { clientAuthOf } from './client-rules.ts';
import type { Config } from './config.ts';
import type { Option } from './option.ts';
import { OPTION_NAMES, OPTIONS, type OptionName } from './options.ts';

/** From the most to the least specific. */
export const SOURCES = ['flag', 'environment', 'file', 'default'] as const;
export type Source = (typeof SOURCES)[number];

/** As it was written; several texts where the option is a list. */
export type Given = { readonly value: string | readonly string[]; readonly from: Source };
export type GivenOptions = Readonly<Record<OptionName, Given>>;

export type InForce = { readonly value: string | readonly string[] | null; readonly from: Source };

/** By option name; null where there is no value. */
export function describeGiven(config: Config, given: GivenOptions): Record<string, InForce> {
  return Object.fromEntries(
    OPTION_NAMES.map((name) => {
      const { value, from } = given[name];
      const inForce = name === 'client-auth' ? clientAuthOf(config) : shownOf(name, value);
      return [name, { value: inForce === '' ? null : inForce, from }];
    }),
  );
}

function shownOf(name: OptionName, value: Given['value']): Given['value'] {
  const { shown }: Option<unknown> = OPTIONS[name];
  if (shown === undefined) return value;
  return typeof value === 'string' ? shown(value) : value.map(shown);
}
