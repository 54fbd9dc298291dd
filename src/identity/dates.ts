// Whether a certificate is within its dates, and how near to their end. Pure.

export type Dates = { readonly notBefore: Date; readonly notAfter: Date };

export function isValidAt({ notBefore, notAfter }: Dates, moment: Date): boolean {
  return notBefore <= moment && moment < notAfter;
}

const DAY_MS = 86_400_000;
const LAST_DAYS = [7, 6, 5, 4, 3, 2, 1];

/**
 * How many steps to its end are behind it: a third of its life is left, a tenth, and each day of its last week. A day is a step
 * only in the last third, so that certificates of a week do not cry from the first day on.
 */
export function stepsToEnd({ notBefore, notAfter }: Dates, moment: Date): number {
  const third = (notAfter.getTime() - notBefore.getTime()) / 3;
  const days = LAST_DAYS.map((day) => day * DAY_MS).filter((ms) => ms < third);
  const leftMs = notAfter.getTime() - moment.getTime();
  return [third, (third * 3) / 10, ...days].filter((step) => leftMs <= step).length;
}

/** Whether a revocation list is over: then nobody knows who was revoked since. */
export function isExpired({ nextUpdate }: { readonly nextUpdate: Date | undefined }, now: Date): boolean {
  return nextUpdate !== undefined && nextUpdate <= now;
}
