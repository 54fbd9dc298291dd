// What the run outside of the node's namespaces tells the one inside of them.

import type { Image } from './images.ts';

export type Plan = {
  readonly data: string;
  readonly programs: string;
  readonly kubernetes: string;
  /** Of tls-sidecar. */
  readonly version: string;
  /** The cgroup that the kubelet puts Pods into, in each hierarchy. */
  readonly cgroup: string;
  /** None: the API server alone. */
  readonly images: readonly Image[];
};

export function planFrom(text: string | undefined): Plan {
  if (text === undefined) throw new Error('this is started by test/cluster/cluster.ts');
  return JSON.parse(text) as Plan;
}
