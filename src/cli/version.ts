// Which version this is, as package.json says: beside the program in the image, above it in the package and in the sources.

import { readFileSync } from 'node:fs';

export function readVersion(): string {
  for (const place of ['./package.json', '../package.json', '../../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(place, import.meta.url), 'utf8')) as {
        name?: string;
        version?: string;
      };
      if (name === 'tls-sidecar' && version !== undefined) return version;
    } catch {
      // It is in another place.
    }
  }
  return 'unknown';
}
