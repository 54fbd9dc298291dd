// What a machine must have for a Pod: programs, rights, and a runtime that starts a container at all. What is missing is told in
// one sentence. Nothing here runs anything of ours, so that a fault of ours never looks like a missing piece.

import { isPresent, remedyFor } from '../support/peers.ts';
import { type Outcome, outcomeOf } from './command.ts';

const PROGRAMS = ['podman', 'buildah', 'runc', 'conmon', 'mmdebstrap', 'ip', 'unshare', 'iptables-nft'];
const CONDITIONS = ['root', 'netns', 'ipv6', 'memory-cgroup'];

export function missingPiece(): string | undefined {
  const missing = [...CONDITIONS, ...PROGRAMS].find((piece) => !isPresent(piece));
  return missing && `it needs ${missing}, which is not here (${remedyFor(missing)})`;
}

/** A kernel without nft's NAT, in one of the families. */
export async function missingNat(): Promise<string | undefined> {
  for (const program of ['iptables-nft', 'ip6tables-nft']) {
    const { code, stderr } = await outcomeOf('unshare', ['--net', program, '-t', 'nat', '-S']);
    if (code !== 0) return `this kernel has no NAT for ${program}: ${lastLine(stderr)}`;
  }
  return undefined;
}

/** Debian alone, under the limits that the Pod's containers get. */
export async function missingRuntime(
  podman: (...args: string[]) => Promise<Outcome>,
  image: string,
): Promise<string | undefined> {
  const limits = ['--network', 'none', '--memory', '64m', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'];
  const { code, stderr } = await podman('run', '--rm', '--pull', 'never', ...limits, image, 'true');
  return code === 0 ? undefined : `podman with runc starts no container on this machine: ${lastLine(stderr)}`;
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
