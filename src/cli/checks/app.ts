// Whether the app accepts connections. Not being up is a warning: in a Pod it starts after the sidecar.

import { createAppHealth } from '../../admin/health.ts';
import type { Config } from '../../config/config.ts';
import { upstreamsOf } from '../../config/upstreams.ts';
import { upstreamName } from '../../forward/upstream.ts';
import type { UpstreamAddress } from '../../net/addresses.ts';
import type { Finding } from './finding.ts';

const APP_TIMEOUT_MS = 2000;

export function checkApp(config: Config): Promise<Finding[]> {
  return Promise.all(upstreamsOf(config).map(checkOne));
}

async function checkOne(upstream: UpstreamAddress): Promise<Finding> {
  const name = upstreamName(upstream);
  const accepts = await createAppHealth(upstream, APP_TIMEOUT_MS, () => performance.now()).accepts();
  if (accepts) return { level: 'ok', text: `the app accepts connections on ${name}` };
  return { level: 'warning', text: `the app does not accept connections on ${name} yet; start it, or set --upstream` };
}
