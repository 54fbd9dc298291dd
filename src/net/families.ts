// How connect() goes through the addresses of a name, of both families.

/** Nothing hangs on the loopback: what does not listen there refuses at once. */
const LOOPBACK_MS = 60_000;
/** To a host that has an address on which nobody answers, RFC 8305 recommends 250 ms, of a program that always has CPU time. */
const OTHER_MS = 1000;

type Options = { readonly autoSelectFamily: true; readonly autoSelectFamilyAttemptTimeout: number };

/**
 * Options of connect() for `host`: its addresses in turn. Node goes on to the next one after 250 ms unless it is told
 * otherwise, which a container without CPU time exceeds with its connection already open; then the address that is none of the
 * app's refuses, and that would be taken for the app's answer.
 */
export function eachFamilyOf(host: string): Options {
  return { autoSelectFamily: true, autoSelectFamilyAttemptTimeout: host === 'localhost' ? LOOPBACK_MS : OTHER_MS };
}
