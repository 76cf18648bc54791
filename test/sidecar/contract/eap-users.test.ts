/** Users of EAP: found by name, kept as NT hashes, refused with reasons, never repeated. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseEapUsers } from '../../../sidecar/contract/eap-users.ts';
import { md4 } from '../../../sidecar/contract/md4.ts';
import { ntHash } from '../../../sidecar/contract/nt-hash.ts';
import { formatProblem } from '../../../sidecar/contract/problem.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const parse = (...texts: readonly string[]) => parseEapUsers(texts.map((text, index) => ({ file: `${index}.yaml`, text })));
const problems = (...texts: readonly string[]): readonly string[] => {
  const parsed = parse(...texts);
  return parsed.ok ? [] : parsed.problems.map(formatProblem);
};

describe('MD4', () => {
  it('gives the digests of RFC 1320 §A.5', () => {
    const digests: Readonly<Record<string, string>> = {
      '': '31d6cfe0d16ae931b73c59d7e0c089c0',
      a: 'bde52cb31de33e46245e05fbdbd6fb24',
      abc: 'a448017aaf21d8525fc10ae87aa6729d',
      'message digest': 'd9130a8164549fe818874806e1c7014b',
      abcdefghijklmnopqrstuvwxyz: 'd79e1c308aa5bbcdeea8ed63df412da9',
      ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789: '043f8582f241db351ce627e153e7f0e4',
      '12345678901234567890123456789012345678901234567890123456789012345678901234567890': 'e33b4ddc9c38f2199c3e7b164fcc0536',
    };
    for (const [text, digest] of Object.entries(digests)) assert.equal(hex(md4(new TextEncoder().encode(text))), digest, text);
  });
});

describe('users of EAP', () => {
  it('are kept as NT hashes, whether a password or a hash is written', () => {
    const parsed = parse(
      'alice: clientPass-clientPass\n"BIGCO\\\\bob": { password: "a long password" }',
      'carol: { ntHash: "44EBBA8D5312B8D611474411F56989AE" }',
    );
    assert.ok(parsed.ok);
    const stored = (name: string): string | undefined => {
      const secret = parsed.value.ntHash(name);
      return secret && hex(secret.expose());
    };
    assert.equal(stored('alice'), hex(ntHash('clientPass-clientPass')));
    assert.equal(stored('BIGCO\\bob'), hex(ntHash('a long password')));
    assert.equal(stored('carol'), hex(ntHash('clientPass')), 'RFC 2759 §9.2');
    assert.equal(stored('dave'), undefined);
    assert.equal(parsed.value.size, 3);
    assert.deepEqual(parsed.value.warnings, []);
    assert.equal(JSON.stringify(parsed.value.ntHash('alice')), '"[secret]"');
  });

  it('with a password of fewer than 12 characters are accepted with a warning', () => {
    const parsed = parse('alice: short');
    assert.ok(parsed.ok);
    assert.deepEqual(parsed.value.warnings.map(formatProblem), [
      '0.yaml: alice: the password has fewer than 12 characters; use a longer, random one',
    ]);
  });

  it('are refused whole, with every problem and no secret', () => {
    assert.deepEqual(
      problems(
        [
          'alice: ""',
          'bob: 123456',
          'carol: { ntHash: 0123 }',
          'dave: { ntHash: "hunter2" }',
          'erin: { password: hunter2, ntHash: hunter2 }',
          'frank: {}',
          'grace: { secret: hunter2 }',
          'heidi: { password: [hunter2] }',
          '"": hunter2',
          `ivan: ${'x'.repeat(257)}`,
          `${'j'.repeat(257)}: hunter2`,
        ].join('\n'),
        '- hunter2',
      ),
      [
        '0.yaml: alice: the password is empty; write one of at least 12 characters',
        '0.yaml: bob: the password is not a text: a number; write "alice": "the password", or below the name either password: or ntHash:',
        '0.yaml: carol.ntHash: the NT hash is not a text: a number; write its 32 hexadecimal digits in quotes',
        '0.yaml: dave.ntHash: not an NT hash; write its 32 hexadecimal digits in quotes',
        '0.yaml: erin: both a password and an NT hash; keep one of the two',
        '0.yaml: frank: neither a password nor an NT hash; write "alice": "the password", or below the name either password: or ntHash:',
        '0.yaml: grace.secret: unknown field; remove it; the fields here are password or ntHash',
        '0.yaml: heidi.password: the password is not a text: a list; put it in quotes',
        '0.yaml: [""]: the name is empty; write the name that the user types',
        '0.yaml: ivan: the password has 257 characters; write at most 256',
        `0.yaml: ${'j'.repeat(257)}: the name has 257 bytes; write at most 256`,
        '1.yaml: not a mapping: a list; write one line per user: "alice": "the password"',
      ],
    );
  });

  it('stand once, whichever file', () => {
    assert.deepEqual(problems('alice: the first password\n', 'alice: the second password\n'), [
      '1.yaml: alice: the same user as "alice" in 0.yaml; keep one of the two',
    ]);
  });
});
