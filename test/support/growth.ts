// How much more memory a sidecar may take while bodies of any size pass through it.

import type { Sidecar } from './sidecar.ts';

/**
 * Bytes. The goal is 64 MiB, and Node 20 stays below it. Node 24 takes up to 77 MiB (measured, and the same for 256 MiB and
 * for 1 GiB): its young generation grows by 50 MiB; it is not what waits for a peer.
 */
export function mostGrowth({ logs }: Sidecar): number {
  const major = /^v(\d+)/.exec(String(logs.find(({ msg }) => msg === 'serving')?.node))?.[1];
  return (Number(major) < 22 ? 64 : 96) << 20;
}
