/** Files of certificates, revocation lists and keys: PEM with several blocks, or DER; every problem with the place it is at. */
import type { Problem } from '../../contract/problem.ts';
import { ProtocolError } from '../error.ts';
import type { Bytes } from '../wire/bytes.ts';
import { isPem, readPem } from './pem.ts';

export interface PkiFile {
  /** Its name; where files stand in folders of authorities, `folder/name`. */
  readonly file: string;
  /** As text, or as bytes when it may be DER. */
  readonly content: string | Bytes;
}

/** One block of a file, and where it stands. `label` is undefined in DER files, which do not say what they are. */
export interface Item {
  readonly file: string;
  readonly path: string;
  readonly label: string | undefined;
  readonly der: Bytes;
}

/** What is not PEM is taken for DER. */
export function itemsOf({ file, content }: PkiFile, problems: Problem[]): readonly Item[] {
  const text = typeof content === 'string' ? content : latin1(content);
  if (!isPem(text)) {
    if (typeof content !== 'string' && content[0] === 0x30) return [{ file, path: '', label: undefined, der: content }];
    problems.push({ file, path: '', message: 'neither PEM nor DER', remedy: 'write certificates between BEGIN and END lines' });
    return [];
  }
  const items: Item[] = [];
  for (const block of readPem(text)) {
    if ('fault' in block) problems.push({ file, path: '', message: block.fault, remedy: 'write the file again, whole' });
    else items.push({ file, path: `line ${block.line}`, label: block.label, der: block.der });
  }
  return items;
}

/** What `read` makes of it, or undefined after a problem was told. */
export function attempt<T>({ file, path }: Item, what: string, problems: Problem[], read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    problems.push({
      file,
      path,
      message: `not a ${what} that can be read: ${error.message}`,
      remedy: `replace it by a good ${what}`,
    });
    return undefined;
  }
}

/** Each byte a character: PEM is ASCII, and what stands between its blocks does not matter. */
const latin1 = (bytes: Bytes): string => new TextDecoder('latin1').decode(bytes);
