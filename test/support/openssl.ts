// OpenSSL's own tools as makers of certificates and as a client: they share no code with certs/authority.ts and with Node's
// reading of what they make. Everything is written below one directory.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { patienceMs } from './poll.ts';

export type Outcome = { code: number; stdout: string; stderr: string };

/** Paths of PEM files. `above` holds what stands between the certificate and its root, '' where nothing does; `chain` both. */
export type Made = { readonly cert: string; readonly key: string; readonly chain: string; readonly above: string };

export type MakeOptions = {
  /** As `/CN=web/OU=a`. */
  subject?: string;
  /** As `DNS:a.example,URI:spiffe://x/y`. */
  san?: string;
  /** Default `clientAuth`; '' for none. */
  usage?: string;
  /** Days from now; negative ones are past. */
  from?: number;
  to?: number;
};

export interface OpensslAuthority extends Made {
  issue(name: string, options?: MakeOptions): Promise<Made>;
  intermediate(name: string): Promise<OpensslAuthority>;
  /** Its revocation list, PEM, that names these and is good for so many days from now. */
  revocationList(revoked: readonly Made[], days?: number): Promise<string>;
}

export function run(command: string, args: readonly string[], input = ''): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(command, args, { timeout: patienceMs }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

async function openssl(...args: string[]): Promise<void> {
  const { code, stderr } = await run('openssl', args);
  assert.equal(code, 0, `openssl ${args.join(' ')}\n${stderr}`);
}

/** A root of its own. */
export async function makeAuthority(dir: string, name: string): Promise<OpensslAuthority> {
  await mkdir(dir, { recursive: true });
  const made = pathsOf(dir, name);
  const subject = ['-subj', `/CN=${name}`, '-addext', 'keyUsage=critical,digitalSignature,keyCertSign,cRLSign'];
  await openssl('req', '-x509', ...newKey(made.key), '-out', made.cert, '-days', '30', ...subject);
  return authorityOf(dir, made, '');
}

function authorityOf(dir: string, made: Made, above: string): OpensslAuthority {
  const sign = async (name: string, extensions: string[], options: MakeOptions): Promise<Made> => {
    const leaf = pathsOf(dir, name);
    const [request, config] = [join(dir, `${name}.csr`), join(dir, `${name}.ext`)];
    await writeFile(config, extensions.join('\n'));
    const { subject = `/CN=${name}`, from = -1, to = 30 } = options;
    await openssl('req', '-new', ...newKey(leaf.key), '-utf8', '-subj', subject, '-out', request);
    const signer = ['-cert', made.cert, '-keyfile', made.key, '-in', request, '-extfile', config, '-out', leaf.cert];
    const dates = ['-startdate', asn1Time(from), '-enddate', asn1Time(to)];
    const form = ['-batch', '-notext', '-preserveDN', '-utf8', '-md', 'sha256'];
    await openssl('ca', ...(await ledger(dir, name)), ...signer, ...dates, ...form);
    await writeFile(leaf.chain, (await readFile(leaf.cert, 'utf8')) + above);
    if (above === '') return { ...leaf, above };
    await writeFile(leaf.above, above);
    return leaf;
  };
  return {
    ...made,
    issue: (name, options = {}) => {
      const { san, usage = 'clientAuth' } = options;
      const extensions = ['basicConstraints=critical,CA:FALSE', 'keyUsage=critical,digitalSignature'];
      if (usage !== '') extensions.push(`extendedKeyUsage=${usage}`);
      if (san !== undefined) extensions.push(`subjectAltName=${san}`);
      return sign(name, extensions, options);
    },
    async revocationList(revoked, days = 30) {
      const options = await ledger(dir, `${basename(made.cert)}.crl`);
      const rows = await Promise.all(
        revoked.map(async ({ cert }) => {
          const { stdout } = await run('openssl', ['x509', '-in', cert, '-noout', '-serial']);
          return `R\t491231235959Z\t260101000000Z\t${stdout.trim().replace('serial=', '')}\tunknown\t/CN=x\n`;
        }),
      );
      await writeFile(join(dir, `${basename(made.cert)}.crl.ca`, 'index.txt'), rows.join(''));
      const out = join(dir, `${basename(made.cert)}.crl.pem`);
      const dates = ['-crl_lastupdate', asn1Time(-60), '-crl_nextupdate', asn1Time(days)];
      const signer = ['-cert', made.cert, '-keyfile', made.key, '-md', 'sha256'];
      await openssl('ca', ...options, '-gencrl', ...signer, ...dates, '-out', out);
      return await readFile(out, 'utf8');
    },
    async intermediate(name) {
      const below = await sign(
        name,
        ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign'],
        {},
      );
      return authorityOf(dir, below, (await readFile(below.cert, 'utf8')) + above);
    },
  };
}

function pathsOf(dir: string, name: string): Made {
  const file = (kind: string): string => join(dir, `${name}.${kind}`);
  return { cert: file('crt'), key: file('key'), chain: file('chain.crt'), above: file('above.crt') };
}

function newKey(path: string): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-keyout', path];
}

/** What `openssl ca`, which alone takes both dates on every release, wants to write down; one for each certificate. */
async function ledger(dir: string, name: string): Promise<string[]> {
  const home = join(dir, `${name}.ca`);
  await mkdir(home, { recursive: true });
  await writeFile(join(home, 'index.txt'), '');
  const policy = ['[policy]', ...['C', 'O', 'OU', 'CN'].map((field) => `${field}=optional`)];
  const config = ['[ca]', 'default_ca=it', '[it]', `database=${home}/index.txt`, `new_certs_dir=${home}`];
  const rest = ['rand_serial=yes', 'unique_subject=no', 'string_mask=utf8only', 'policy=policy', ...policy];
  await writeFile(join(home, 'ca.cnf'), [...config, ...rest, ''].join('\n'));
  return ['-config', join(home, 'ca.cnf')];
}

/** Days from now as ASN.1 writes a time. */
function asn1Time(days: number): string {
  return `${new Date(Date.now() + days * 86_400_000).toISOString().replaceAll(/[-T:]/g, '').slice(0, 14)}Z`;
}

export type Asked = Outcome & {
  /** 0 where no answer came. */
  readonly status: number;
  readonly body: string;
  readonly resumed: boolean;
};

export type AskOptions = {
  readonly port: number;
  readonly version?: '1.2' | '1.3';
  readonly client?: Made | undefined;
  readonly servername?: string;
  /** Files that a session is written to, or read from. */
  readonly sessionOut?: string;
  readonly sessionIn?: string;
};

/** One request over HTTP/1.1, typed into `openssl s_client`. */
export async function askWithOpenssl(options: AskOptions): Promise<Asked> {
  const { port, version = '1.3', client, servername = 'localhost', sessionOut, sessionIn } = options;
  const request = 'GET /who HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
  const outcome = await run(
    'openssl',
    [
      ...['s_client', '-connect', `127.0.0.1:${port}`, '-servername', servername, '-ign_eof'],
      version === '1.2' ? '-tls1_2' : '-tls1_3',
      ...(client ? ['-cert', client.cert, '-key', client.key] : []),
      ...(client && client.above !== '' ? ['-cert_chain', client.above] : []),
      ...(sessionOut ? ['-sess_out', sessionOut] : []),
      ...(sessionIn ? ['-sess_in', sessionIn] : []),
    ],
    request,
  );
  // It writes the answer in one piece, but into the middle of what it says itself of the session.
  const [head, status = '0', length = '0'] =
    /HTTP\/1\.1 (\d{3}) [\s\S]*?^Content-Length: (\d+)[\s\S]*?\r\n\r\n/im.exec(outcome.stdout) ?? [];
  const start = head === undefined ? 0 : outcome.stdout.indexOf(head) + head.length;
  const body = outcome.stdout.slice(start, start + Number(length));
  return { ...outcome, status: Number(status), body, resumed: /^Reused, /m.test(outcome.stdout) };
}

/** The same with curl, which speaks HTTP/2. Status 0: the connection was refused or cut. */
export async function askWithCurl(options: AskOptions & { readonly http2: boolean }): Promise<Asked> {
  const { port, version = '1.3', client, http2, servername = 'localhost' } = options;
  const { stdout, ...outcome } = await run('curl', [
    ...['-sSk', '-w', '\n%{http_version} %{http_code}', http2 ? '--http2' : '--http1.1'],
    ...['--connect-to', `${servername}:443:127.0.0.1:${port}`, '--tlsv1.2', '--tls-max', version],
    ...(client ? ['--cert', client.chain, '--key', client.key] : []),
    `https://${servername}/who`,
  ]);
  const [, body = '', spoken = '', status = '0'] = /^([\s\S]*)\n(\S+) (\d{3})$/.exec(stdout) ?? [];
  const right = status === '000' || spoken === (http2 ? '2' : '1.1');
  assert.ok(right, `curl spoke HTTP/${spoken}`);
  return { ...outcome, stdout, status: Number(status), body, resumed: false };
}
