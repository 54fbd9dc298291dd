// Whether the ports are free: they are opened and closed again.

import { createServer } from 'node:net';
import type { Config } from '../../config/config.ts';
import { type ListenAddress, openPort, portProblem } from '../../net/ports.ts';
import type { Finding } from './finding.ts';

export async function checkPorts({ listen, admin }: Config): Promise<Finding[]> {
  const findings = [await checkPort('--listen', listen)];
  if (admin !== 'off') findings.push(await checkPort('--admin', admin));
  return findings;
}

async function checkPort(flag: string, address: ListenAddress): Promise<Finding> {
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
