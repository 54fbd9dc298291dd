// Where things are on the node: its folders, addresses and ports. All of them are the node's own; the machine sees none.

import { join } from 'node:path';

export const NODE = {
  name: 'node',
  address: '192.0.2.1',
  services: '10.96.0.0/16',
  pods: '10.244.0.0/24',
  /** The first of `services`: that of the API server itself. */
  apiService: '10.96.0.1',
} as const;

/** The network namespace beyond the node. */
export const OUTSIDE = 'outside';

export type Folders = {
  readonly programs: string;
  readonly data: string;
  /** What the programs print. */
  readonly logs: string;
};

export function foldersIn(data: string, programs: string): Folders {
  return { programs, data, logs: join(data, 'logs') };
}
