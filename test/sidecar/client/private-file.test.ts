/** The file of the pre-shared key: what is taken from it, and when it is refused. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { readSecretLine } from '../../../sidecar/client/private-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'psk-'));
const file = join(folder, 'alice.psk');
after(() => rmSync(folder, { recursive: true }));

function written(content: string, mode = 0o600): string {
  writeFileSync(file, content);
  chmodSync(file, mode);
  return file;
}

describe('the file of the pre-shared key', () => {
  for (const [content, key] of [
    ['secret', 'secret'],
    ['secret\n', 'secret'],
    ['secret\r\n', 'secret'],
    [' secret \n\n', ' secret \n'],
    ['geheimnisträger\n', 'geheimnisträger'],
  ] as const) {
    it(`holds the key ${JSON.stringify(key)} when it holds ${JSON.stringify(content)}`, () => {
      assert.equal(Buffer.from(readSecretLine('--psk-file', written(content), 'pre-shared key').expose()).toString(), key);
    });
  }

  it('may be read by a group, as a mounted Secret is', () =>
    assert.equal(readSecretLine('--psk-file', written('secret', 0o440), 'pre-shared key').length, 6));

  for (const [what, make, words] of [
    [
      'everybody may read it',
      () => written('secret', 0o644),
      /^--psk-file: .*alice\.psk: everybody may read it \(mode 0644\); run: chmod 600 .*alice\.psk$/,
    ],
    ['it is empty', () => written('\n'), /^--psk-file: .*: empty; write the pre-shared key into it$/],
    ['it is too long', () => written('x'.repeat(5_000)), /: longer than 4096 bytes; /],
    ['it is a folder', () => folder, /: not a file; name the file that holds the pre-shared key$/],
    ['it does not exist', () => join(folder, 'none'), /: does not exist; write the pre-shared key into it, with mode 0600$/],
  ] as const) {
    it(`is refused with its remedy when ${what}`, () => {
      const name = make();
      assert.throws(
        () => readSecretLine('--psk-file', name, 'pre-shared key'),
        (error: Error) => words.test(error.message) && !error.message.includes('secret'),
      );
    });
  }
});
