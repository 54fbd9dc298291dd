// Whether the app accepts connections. Not being up is a warning: in a Pod it starts after the sidecar.

import { createAppHealth } from '../../admin/health.ts';
import type { Config } from '../../config/config.ts';
import { upstreamName } from '../../forward/upstream.ts';
import type { Finding } from './finding.ts';

const APP_TIMEOUT_MS = 2000;

export async function checkApp({ upstream }: Config): Promise<Finding[]> {
  const name = upstreamName(upstream);
  const accepts = await createAppHealth(upstream, APP_TIMEOUT_MS, () => performance.now()).accepts();
  if (accepts) return [{ level: 'ok', text: `the app accepts connections on ${name}` }];
  return [
    { level: 'warning', text: `the app does not accept connections on ${name} yet; start it, or set --upstream` },
  ];
}
