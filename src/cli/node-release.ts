// Which Node releases carry the security fixes of 2026 for HTTP servers (CVE-2026-58044 and its companions).

export const PATCHED = '22.23.2, 24.17.0, 26.3.1 or newer';

const FIRST_PATCHED: Readonly<Record<number, readonly [minor: number, patch: number]>> = {
  22: [23, 2],
  24: [17, 0],
  26: [3, 1],
};
const FIRST_FIXED_AT_BIRTH = 27;

/** `version` as process.version gives it. */
export function isPatched(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version
    .slice(1)
    .split('.')
    .map((part) => Number.parseInt(part, 10));
  if (major >= FIRST_FIXED_AT_BIRTH) return true;
  const [wantedMinor, wantedPatch] = FIRST_PATCHED[major] ?? [Number.POSITIVE_INFINITY, 0];
  return minor > wantedMinor || (minor === wantedMinor && patch >= wantedPatch);
}
