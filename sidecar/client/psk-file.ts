/** The pre-shared key of a client: never in argv or environment, where every process of the machine can read it. */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { Secret } from '../contract/secret.ts';

const LONGEST = 4096;

/** The bytes of the file without a line end after the last. @throws Error that names flag, file and remedy. */
export function readPskFile(file: string): Secret {
  const refuse = (message: string): never => {
    throw new Error(`--psk-file: ${file}: ${message}`);
  };
  const handle = open(file, refuse);
  try {
    const status = fstatSync(handle);
    if (!status.isFile()) refuse('not a file; name the file that holds the key');
    if ((status.mode & 0o007) !== 0)
      refuse(`everybody may read it (mode ${(status.mode & 0o777).toString(8).padStart(4, '0')}); run: chmod 600 ${file}`);
    if (status.size > LONGEST) refuse(`longer than ${LONGEST} bytes; a pre-shared key is one line`);
    const key = withoutLineEnd(readFileSync(handle));
    if (key.length === 0) refuse('empty; write the pre-shared key into it');
    return new Secret(key);
  } finally {
    closeSync(handle);
  }
}

function open(file: string, refuse: (message: string) => never): number {
  try {
    return openSync(file, 'r');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') return refuse('does not exist; write the pre-shared key into it, with mode 0600');
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

function withoutLineEnd(bytes: Uint8Array): Uint8Array {
  const end = bytes.at(-1) === 0x0a ? (bytes.at(-2) === 0x0d ? 2 : 1) : 0;
  return new Uint8Array(bytes.subarray(0, bytes.length - end));
}
