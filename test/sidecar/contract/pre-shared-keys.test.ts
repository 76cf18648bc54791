/** Pre-shared keys: found by identity, refused with reasons, never repeated. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseIdentity } from '../../../sidecar/contract/identity.ts';
import { parsePreSharedKeys } from '../../../sidecar/contract/pre-shared-keys.ts';
import { formatProblem } from '../../../sidecar/contract/problem.ts';

const parse = (...texts: readonly string[]) => parsePreSharedKeys(texts.map((text, index) => ({ file: `${index}.yaml`, text })));
const problems = (...texts: readonly string[]): readonly string[] => {
  const parsed = parse(...texts);
  return parsed.ok ? [] : parsed.problems.map(formatProblem);
};

describe('pre-shared keys', () => {
  it('are found by identity, whichever file they stand in', () => {
    const parsed = parse(
      '"alice@example.com": a secret of alice',
      'keyid:0A: "a secret of a key id"\n192.0.2.1: "a secret of a host!"\n',
    );
    assert.ok(parsed.ok);
    const psk = (identity: string): string | undefined => {
      const bytes = parsed.value.psk(parseIdentity(identity));
      return bytes && new TextDecoder().decode(bytes);
    };
    assert.equal(psk('alice@example.com'), 'a secret of alice');
    assert.equal(psk('keyid:0a'), 'a secret of a key id');
    assert.equal(psk('192.0.2.1'), 'a secret of a host!');
    assert.equal(psk('bob@example.com'), undefined);
    assert.equal(parsed.value.size, 3);
    assert.deepEqual(parsed.value.warnings, []);
  });

  it('of fewer than 16 characters are accepted with a warning', () => {
    const parsed = parse('"alice@example.com": short');
    assert.ok(parsed.ok);
    assert.deepEqual(parsed.value.warnings.map(formatProblem), [
      '0.yaml: ["alice@example.com"]: the secret has fewer than 16 characters; use a longer, random one',
    ]);
  });

  it('are refused whole, with every problem and no secret', () => {
    assert.deepEqual(
      problems('"alice@example.com": ""\nbob@example.com: 123456\n"not an identity": hunter2', 'carol: [hunter2]', '- hunter2'),
      [
        '0.yaml: ["alice@example.com"]: the secret is empty; write one of at least 16 characters',
        '0.yaml: ["bob@example.com"]: the secret is not a text: a number; put it in quotes',
        '0.yaml: ["not an identity"]: not an identity: "not an identity"; write an address, a domain name, user@domain, or keyid: and an even number of hexadecimal digits',
        '1.yaml: carol: the secret is not a text: a list; put it in quotes',
        '2.yaml: not a mapping: a list; write one line per user: "alice@example.com": "the secret"',
      ],
    );
  });

  it('stand once for each identity', () => {
    assert.deepEqual(problems('keyid:0a: secret of the first\n', 'keyid:0A: secret of the second\n'), [
      '1.yaml: ["keyid:0A"]: the same identity as "keyid:0a" in 0.yaml; keep one of the two',
    ]);
    assert.deepEqual(problems('carol: secret of the first\ncarol: secret of the second\n'), [
      '0.yaml: not valid YAML at line 2, column 1: duplicated mapping key; correct it; a text that begins with a sign needs quotes',
    ]);
  });

  it('are written out, each: what an alias repeats could be huge', () => {
    assert.match(problems('alice: &a the secret of both\nbob: *a')[0] ?? '', /^0.yaml: not valid YAML at line 2, column 7: /);
  });

  it('that begin with a sign of YAML are refused without being repeated', () => {
    for (const sign of ['!', '*', '&', '@', '`', '%', '"', "'", '{', '[', '|x', '>x', '!<', '!!', '!a!']) {
      const said = problems(`carol: ${sign}hunter2`).join('\n');
      assert.doesNotMatch(said, /hunter2/, sign);
    }
  });
});
