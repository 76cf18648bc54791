/** Files with secrets of a client: never in argv or environment, where every process of the machine can read them. */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { Secret } from '../contract/secret.ts';
import type { Bytes } from '../ike/wire/bytes.ts';

export interface PrivateFile {
  /** With its dashes. */
  readonly flag: string;
  readonly file: string;
  /** What stands in it, with its article. */
  readonly holds: string;
  readonly longest: number;
}

const LONGEST_LINE = 4096;

/** The bytes of the first and only line, without its end. @throws Error that names flag, file and remedy. */
export function readSecretLine(flag: string, file: string, what: string): Secret {
  const line = withoutLineEnd(readPrivateFile({ flag, file, holds: `the ${what}`, longest: LONGEST_LINE }));
  if (line.length === 0) refusing({ flag, file })(`empty; write the ${what} into it`);
  return new Secret(line);
}

/** Not everybody may read it; a group may, as with mounted Secrets. @throws Error that names flag, file and remedy. */
export function readPrivateFile({ flag, file, holds, longest }: PrivateFile): Bytes {
  const refuse = refusing({ flag, file });
  const handle = open(file, holds, refuse);
  try {
    const status = fstatSync(handle);
    if (!status.isFile()) refuse(`not a file; name the file that holds ${holds}`);
    if ((status.mode & 0o007) !== 0)
      refuse(`everybody may read it (mode ${(status.mode & 0o777).toString(8).padStart(4, '0')}); run: chmod 600 ${file}`);
    if (status.size > longest) refuse(`longer than ${longest} bytes; write ${holds} into it and nothing else`);
    return new Uint8Array(readFileSync(handle));
  } finally {
    closeSync(handle);
  }
}

const refusing =
  ({ flag, file }: Pick<PrivateFile, 'flag' | 'file'>) =>
  (message: string): never => {
    throw new Error(`${flag}: ${file}: ${message}`);
  };

function open(file: string, holds: string, refuse: (message: string) => never): number {
  try {
    return openSync(file, 'r');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') return refuse(`does not exist; write ${holds} into it, with mode 0600`);
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

function withoutLineEnd(bytes: Bytes): Bytes {
  const end = bytes.at(-1) === 0x0a ? (bytes.at(-2) === 0x0d ? 2 : 1) : 0;
  return new Uint8Array(bytes.subarray(0, bytes.length - end));
}
