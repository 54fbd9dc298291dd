// The command `check`: reports on everything that can be tested without serving, one finding a line, with what to do about
// it. Exit code 0 when nothing failed.

import type { Loaded } from '../config/config.ts';
import { checkApp } from './checks/app.ts';
import { checkCertificates } from './checks/certificates.ts';
import { checkClients } from './checks/clients.ts';
import { checkConfiguration } from './checks/configuration.ts';
import type { Check, Finding } from './checks/finding.ts';
import { checkRuntime } from './checks/node-release.ts';
import { checkPorts } from './checks/ports.ts';
import { checkProbes } from './checks/probes.ts';
import { checkTrust } from './checks/trust.ts';

const SUCCESS = 0;
const FAILURE = 1;

/** In the order of the report. */
const CHECKS: readonly Check[] = [
  checkRuntime,
  checkCertificates,
  checkClients,
  checkPorts,
  checkTrust,
  checkApp,
  checkProbes,
];

/** Prints the findings on stdout. */
export async function check(loaded: Loaded): Promise<number> {
  const findings: Finding[] = checkConfiguration(loaded);
  for (const one of CHECKS) findings.push(...(await one(loaded.config)));
  for (const { level, text } of findings) process.stdout.write(`${level.padEnd(8)} ${text}\n`);
  const count = (level: Finding['level']): number => findings.filter((finding) => finding.level === level).length;
  const [failed, warned] = [count('failed'), count('warning')];
  const attention = warned === 0 ? '' : ` ${warned} ${warned === 1 ? 'thing needs' : 'things need'} attention.`;
  const running = findings.find((finding) => finding.running !== undefined)?.running;
  const good =
    running === undefined
      ? 'The sidecar can start.'
      : `A sidecar runs already (pid ${running}); one with this configuration could take its place.`;
  process.stdout.write(`${failed === 0 ? good : `The sidecar cannot start: ${failed} failed.`}${attention}\n`);
  return failed === 0 ? SUCCESS : FAILURE;
}
