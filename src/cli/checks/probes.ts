// Whether the app answers the probes that --probe declares. Like the app that is not up yet, a failure is a warning.

import { askApp } from '../../admin/probes/ask.ts';
import type { Config } from '../../config/config.ts';
import { pathOfProbe } from '../../config/probe.ts';
import type { Finding } from './finding.ts';

const TIMEOUT_MS = 2000;

export function checkProbes({ probe }: Pick<Config, 'probe'>): Promise<Finding[]> {
  return Promise.all(
    probe.map(async (one): Promise<Finding> => {
      const { status, text } = await askApp(one, TIMEOUT_MS);
      if (status < 400) return { level: 'ok', text: `${pathOfProbe(one)}: ${text}` };
      const mend = 'start the app, or correct --probe';
      return { level: 'warning', text: `${pathOfProbe(one)} would answer ${status}: ${text}; ${mend}` };
    }),
  );
}
