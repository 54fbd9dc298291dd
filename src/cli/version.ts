// Which version this is: the build writes it into the program; the sources ask package.json.

import { readFileSync } from 'node:fs';

declare const BUILT_VERSION: string | undefined;

export function readVersion(): string {
  if (typeof BUILT_VERSION === 'string') return BUILT_VERSION;
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
