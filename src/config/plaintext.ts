// Whether plain HTTP may be served beside what is asked of clients: a client without TLS has no certificate, so that
// serving it would go past every demand for one.

/** One line for the contradiction, or undefined. `config` is read by name, so that no option has to exist. */
export function plaintextProblem(config: object): string | undefined {
  const { plaintext, clientAuth, clientCa, allowCn, allowOu, allowDns, allowUri } = config as Partial<
    Record<'plaintext' | 'clientAuth' | 'clientCa' | 'allowCn' | 'allowOu' | 'allowDns' | 'allowUri', unknown>
  >;
  if (plaintext !== 'forward') return undefined;
  const hasRules = [allowCn, allowOu, allowDns, allowUri].some((list) => Array.isArray(list) && list.length > 0);
  const named = clientCa !== undefined && clientCa !== '';
  const required = clientAuth === 'require' || (named && clientAuth !== 'off' && clientAuth !== 'request');
  if (!hasRules && !required) return undefined;
  const demand = required ? 'a required client certificate' : 'an allow rule';
  return `--plaintext forward and ${demand} contradict each other: plain HTTP has no certificate; leave one out, or redirect`;
}
