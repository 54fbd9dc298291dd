// The configuration in force: each option with where its value came from, and what of it is probably not meant.

import type { Loaded } from '../../config/config.ts';
import { describeGiven } from '../../config/given.ts';
import type { Finding } from './finding.ts';
import { checkMount } from './mount.ts';

export function checkConfiguration({ config, given, warnings, file }: Loaded): Finding[] {
  const options = Object.entries(describeGiven(config, given)).map(([name, { value, from }]): Finding => {
    const told = Array.isArray(value) ? value.join(', ') : value;
    return { level: 'ok', text: `--${name} ${told || 'none'} (${from})` };
  });
  const read: Finding[] = file === undefined ? [] : [{ level: 'ok', text: `--config ${file}` }, ...checkMount(file)];
  return [...read, ...options, ...warnings.map((text): Finding => ({ level: 'warning', text }))];
}
