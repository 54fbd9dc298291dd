// Whether a certificate is within its dates. Pure.

export type Dates = { readonly notBefore: Date; readonly notAfter: Date };

export function isValidAt({ notBefore, notAfter }: Dates, moment: Date): boolean {
  return notBefore <= moment && moment < notAfter;
}
