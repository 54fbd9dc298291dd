// The options of TLS: our certificates, and who may connect.

import { listOption, option } from '../option.ts';
import { optional, parseFile, parseNamePattern, parseSwitch, parseWord } from '../parse.ts';

function allow(what: string) {
  return listOption({
    group: 'Clients',
    default: '',
    takes: 'NAME',
    parse: parseNamePattern,
    help: `Admit only clients whose certificate has ${what}; repeatable, any match of any rule admits.`,
  });
}

export const TLS_OPTIONS = {
  cert: listOption({
    group: 'Certificates',
    default: 'certs/tls.crt',
    takes: 'FILE',
    parse: parseFile,
    help: 'PEM certificate chain, leaf first; may include its private key, which is then used. Repeatable: chosen by SNI, the first is the default.',
  }),
  key: listOption({
    group: 'Certificates',
    default: 'certs/tls.key',
    takes: 'FILE',
    parse: parseFile,
    help: 'PEM private key: one for each --cert, in the same order, or none if every --cert file includes its own.',
  }),
  'wait-for-cert': option({
    group: 'Certificates',
    switch: true,
    default: 'false',
    takes: '',
    parse: parseSwitch,
    help: 'Wait for a usable certificate with the TLS port closed, instead of exiting with code 2.',
  }),
  'tls-min-version': option({
    group: 'Certificates',
    default: '1.2',
    takes: '1.2|1.3',
    parse: parseWord('1.2', '1.3'),
    help: 'Oldest TLS version accepted; 1.2 only with AEAD suites and forward secrecy.',
  }),
  'client-ca': option({
    group: 'Clients',
    default: '',
    takes: 'FILE',
    parse: optional(parseFile),
    help: 'PEM bundle of the CAs that issue client certificates.',
  }),
  'client-crl': option({
    group: 'Clients',
    default: '',
    takes: 'FILE',
    parse: optional(parseFile),
    help: 'PEM revocation lists of these CAs, one for each; a revoked client is refused, and its connections end.',
  }),
  'client-auth': option({
    group: 'Clients',
    default: '',
    takes: 'off|request|require',
    parse: optional(parseWord('off', 'request', 'require')),
    help: 'Whether clients are asked for a certificate, or must have one. Without this option: require if --client-ca is given, else off.',
  }),
  'allow-cn': allow('this common name, such as web-*'),
  'allow-ou': allow('this organizational unit'),
  'allow-dns': allow('this DNS name, such as *.clients.example'),
  'allow-uri': allow('this URI, such as spiffe://cluster.local/ns/*/sa/web'),
};
