/** An authority, a gateway and alice, as files that users have. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { Authority, type Issued, pem, purposes } from '../../harness/certificate-authority.ts';

/** A folder of its own for this test file. */
export function folderOfFiles() {
  const folder = mkdtempSync(join(tmpdir(), 'credentials-'));
  after(() => rmSync(folder, { recursive: true }));
  return (name: string, content: string | Uint8Array, mode = 0o600): string => {
    const file = join(folder, name);
    writeFileSync(file, content);
    chmodSync(file, mode);
    return file;
  };
}

/** Everything is valid at this instant, a week to both sides and more. */
export function household(now: number) {
  const valid = { notBefore: now - 8 * 86_400_000, notAfter: now + 30 * 86_400_000 };
  const root = Authority.root(valid);
  const issuing = root.intermediate(valid);
  const alice = issuing.issue({ ...valid, names: ['dns:laptop.example.com', 'email:alice@example.com'] });
  const gateway = issuing.issue({ ...valid, names: ['dns:vpn.example.com'], purposes: [purposes.serverAuth] });
  const chain = (...issued: readonly Issued[]): string =>
    [...issued, issuing.issued].map(({ der }) => pem('CERTIFICATE', der)).join('');
  return { valid, root, issuing, alice, gateway, chain, key: ({ pkcs8 }: Issued) => pem('PRIVATE KEY', pkcs8) };
}
