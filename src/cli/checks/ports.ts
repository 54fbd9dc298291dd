// Whether the ports can be had: they are opened and closed again.

import { createServer } from 'node:net';
import type { Config } from '../../config/config.ts';
import type { Address } from '../../config/parse.ts';
import { openPort, portProblem } from '../../net/ports.ts';
import type { Verdict } from './verdict.ts';

export async function checkPorts({ listen, admin }: Config): Promise<Verdict[]> {
  const verdicts = [await checkPort('--listen', listen)];
  if (admin !== 'off') verdicts.push(await checkPort('--admin', admin));
  return verdicts;
}

async function checkPort(flag: string, address: Address): Promise<Verdict> {
  const probe = createServer();
  try {
    await openPort(probe, address);
    return { level: 'ok', text: `${flag}: port ${address.port} is free` };
  } catch (error) {
    return { level: 'failed', text: portProblem(flag, address, error) };
  } finally {
    probe.close();
  }
}
