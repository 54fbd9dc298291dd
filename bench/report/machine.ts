// The machine and the versions that a result belongs to.
import { execFileSync } from 'node:child_process';
import { arch, cpus, release, totalmem } from 'node:os';
import type { LaneTable } from '../lanes.ts';

export function describeMachine(): string {
  const [first] = cpus();
  const memory = (totalmem() / 2 ** 30).toFixed(0);
  return `${cpus().length} cores, ${first?.model.trim() ?? 'unknown CPU'}, ${memory} GiB, Linux ${release()} ${arch()}`;
}

/** The commit that was measured, with a mark where files differ from it. */
export function describeCommit(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty=, with changes'], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return 'unknown';
  }
}

export function describeVersions(lanes: LaneTable): string {
  return lanes.found.map(({ name, version, ours }) => `${name} ${ours ? 'on Node ' : ''}${version}`).join(', ');
}
