// Makes what a run needs, in bench/.work (git-ignored): the Go programs, the certificate, the file the app serves.
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, dirname, join } from 'node:path';

const benchFolder = dirname(import.meta.dirname);

export type Workshop = {
  readonly folder: string;
  readonly cert: string;
  readonly key: string;
  /** Certificate and key in one file, as HAProxy and hitch want them. */
  readonly pem: string;
  readonly programs: { readonly app: string; readonly load: string; readonly httputil: string };
  readonly file: string;
  /** SHA-256 of the first MiB that the app serves. */
  readonly mebibyteHash: string;
};

export function openWorkshop(): Workshop {
  const folder = join(benchFolder, '.work');
  mkdirSync(folder, { recursive: true });
  for (const tool of ['go', 'openssl', 'taskset']) {
    if (findProgram(tool) === undefined) throw new Error(`${tool} is needed to run the bench and is not installed`);
  }
  const cert = join(folder, 'tls.crt');
  const key = join(folder, 'tls.key');
  const pem = join(folder, 'tls.pem');
  makeCertificate(cert, key);
  writeFileSync(pem, readFileSync(cert, 'utf8') + readFileSync(key, 'utf8'), { mode: 0o600 });
  const file = join(folder, 'bytes');
  if (!existsSync(file)) writeFileSync(file, randomBytes(16 << 20));
  const mebibyteHash = createHash('sha256')
    .update(readFileSync(file).subarray(0, 1 << 20))
    .digest('hex');
  const programs = { app: build('app'), load: build('load'), httputil: build('httputil') };
  return { folder, cert, key, pem, programs, file, mebibyteHash };

  function build(name: string): string {
    const program = join(folder, name);
    execFileSync('go', ['build', '-o', program, `./${name}`], { cwd: join(benchFolder, 'peers'), stdio: 'pipe' });
    return program;
  }
}

function makeCertificate(cert: string, key: string): void {
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30']
      .concat(['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'])
      .concat(['-keyout', key, '-out', cert]),
    { stdio: 'pipe' },
  );
}

/** Where a program is, in PATH or in the folders of system daemons that a user's PATH may lack. */
export function findProgram(name: string): string | undefined {
  if (name.includes('/')) return existsSync(name) ? name : undefined;
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/sbin'];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** Where Debian has a shared library. */
export function findLibrary(name: string): string | undefined {
  const folders = readdirSync('/usr/lib', { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return folders.map((folder) => join('/usr/lib', folder.name, name)).find((path) => existsSync(path));
}

/** A port that is free now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (address === null || typeof address === 'string') reject(new Error('no port'));
        else resolve(address.port);
      });
    });
  });
}
