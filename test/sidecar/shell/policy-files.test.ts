/** Live files: loaded whole or refused whole, through the kubelet's symlink swap, without ever losing what was in force. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { parseIdentity } from '../../../sidecar/contract/identity.ts';
import type { Policy } from '../../../sidecar/ike/context.ts';
import { createLog } from '../../../sidecar/process/log.ts';
import { PolicyFiles } from '../../../sidecar/shell/policy-files.ts';
import { exampleConfig, exampleRing } from './example-files.ts';

describe('the files of a gateway', () => {
  let directory: string;
  let files: PolicyFiles;
  let lines: string[];
  let looked: string[];
  let policies: Policy[];
  let onPolicy: (() => void) | undefined;
  const path = (...names: string[]): string => join(directory, ...names);

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'rekindle-files-'));
    [lines, looked, policies] = [[], [], []];
  });
  afterEach(async () => {
    files.close();
    await rm(directory, { recursive: true });
  });

  const open = (): PolicyFiles => {
    const log = createLog({ level: 'info', base: {}, to: { write: (line) => void lines.push(JSON.parse(line).msg) } });
    const paths = {
      config: path('config', 'gateway.yaml'),
      keyRing: path('ring', 'key-ring.yaml'),
      credentials: { psk: [{ path: path('psk'), name: undefined }] },
    };
    files = new PolicyFiles(paths, log, {
      changed: ({ policy }) => {
        policies.push(policy);
        onPolicy?.();
      },
      looked: (role, outcome) => void looked.push(`${role} ${outcome}`),
    });
    return files;
  };
  const write = async (name: string, text: string): Promise<void> => {
    await mkdir(join(path(name), '..'), { recursive: true });
    await writeFile(path(name), text);
  };
  const writeAll = async (): Promise<void> => {
    await write('config/gateway.yaml', exampleConfig(1));
    await write('ring/key-ring.yaml', exampleRing(1));
    await write('psk/users.yaml', '"alice@example.com": a secret of sixteen');
  };
  const secretOf = (policy: Policy | undefined, identity: string): string =>
    new TextDecoder().decode(policy?.credentials.psk(parseIdentity(identity)));

  it('make a policy when all of them are there, in any order', async () => {
    open();
    await files.look();
    assert.deepEqual(files.missing(), ['gateway.yaml: not there', 'key-ring.yaml: not there', 'pre-shared keys: not there']);
    assert.deepEqual(files.faults(), [{ file: 'pre-shared keys', problems: 1 }]);
    await writeAll();
    await files.look();
    assert.deepEqual(files.missing(), []);
    assert.equal(policies.length, 1);
    assert.equal(secretOf(policies[0], 'alice@example.com'), 'a secret of sixteen');
    assert.equal(files.inForce?.policy.config.generation, 1);
    assert.deepEqual(looked.toSorted().slice(0, 2), ['config loaded', 'config missing']);
  });

  it('are not loaded again while they stay the same', async () => {
    await writeAll();
    open();
    await Promise.all([files.look(), files.look()]);
    await writeAll();
    await files.look();
    assert.equal(policies.length, 1);
  });

  it('are refused whole, once per content, and the old one stays in force', async () => {
    await writeAll();
    open();
    await files.look();
    await write('config/gateway.yaml', exampleConfig(2).replace('10.8.0.0/24', '10.8.0.0').replace('vpn.example.com', '""'));
    await files.look();
    await files.look();
    assert.equal(files.inForce?.policy.config.generation, 1);
    assert.equal(policies.length, 1);
    assert.deepEqual(files.faults(), [{ file: 'gateway.yaml', problems: 2 }]);
    assert.deepEqual(lines.slice(-3), [
      'gateway.yaml: identity: not an identity: ""; write an address, a domain name, user@domain, or keyid: and an even number of hexadecimal digits',
      'gateway.yaml: pools[0].cidr: not an IPv4 or IPv6 prefix: "10.8.0.0"; write it as address/length, for instance 10.8.0.0/24',
      'refused; what was loaded before stays in force',
    ]);
    assert.equal(looked.filter((one) => one === 'config refused').length, 1);
    await write('config/gateway.yaml', exampleConfig(3));
    await files.look();
    assert.equal(files.inForce?.policy.config.generation, 3);
    assert.deepEqual(files.faults(), []);
  });

  it('that are cut off in the middle of a write change nothing', async () => {
    await writeAll();
    open();
    await files.look();
    const whole = exampleRing(2);
    await write('ring/key-ring.yaml', whole.slice(0, whole.length / 2));
    await files.look();
    assert.equal(files.inForce?.policy.ring.generation, 1);
    assert.deepEqual(files.faults(), [{ file: 'key-ring.yaml', problems: 1 }]);
    await write('ring/key-ring.yaml', whole);
    await files.look();
    assert.equal(files.inForce?.policy.ring.generation, 2);
  });

  it('that are deleted stay in force', async () => {
    await writeAll();
    open();
    await files.look();
    await unlink(path('ring/key-ring.yaml'));
    await files.look();
    assert.equal(files.inForce?.policy.ring.generation, 1);
    assert.deepEqual(files.faults(), [{ file: 'key-ring.yaml', problems: 1 }]);
    assert.equal(lines.at(-1), 'key-ring.yaml is gone; what was loaded before stays in force');
  });

  it('tell the pod network which of them is bad, not what stands in it', async () => {
    await writeAll();
    await write('psk/more.yaml', '"bob@example.com": ""\nhunter2: 1');
    open();
    await files.look();
    assert.deepEqual(files.missing(), ['pre-shared keys: more.yaml: refused, 2 problems; they are in the log']);
    assert.equal(policies.length, 0);
    assert.equal(lines.at(-1), 'refused; waiting for a good one');
  });

  it('are read from all YAML files of the directory of keys, and from nothing else there', async () => {
    await writeAll();
    await write('psk/more.yaml', '"bob@example.com": another secret of his');
    await write('psk/.hidden.yaml', 'nonsense');
    await write('psk/README', 'nonsense');
    open();
    await files.look();
    assert.equal(secretOf(policies[0], 'bob@example.com'), 'another secret of his');
    await unlink(path('psk/more.yaml'));
    await files.look();
    assert.equal(secretOf(policies[1], 'bob@example.com'), '');
  });

  it('are seen at once when the kubelet swaps its symlink', { timeout: 4_000 }, async () => {
    /** As the kubelet's atomic writer does: a new directory, then `..data` is renamed over to it. */
    const project = async (volume: string, version: string, contents: Readonly<Record<string, string>>): Promise<void> => {
      await mkdir(path(volume, `..${version}`), { recursive: true });
      for (const [name, text] of Object.entries(contents)) {
        await writeFile(path(volume, `..${version}`, name), text);
        await symlink(join('..data', name), path(volume, name)).catch(() => {});
      }
      await symlink(`..${version}`, path(volume, '..data_tmp'));
      await rename(path(volume, '..data_tmp'), path(volume, '..data'));
    };
    await project('config', 'v1', { 'gateway.yaml': exampleConfig(1) });
    await project('ring', 'v1', { 'key-ring.yaml': exampleRing(1) });
    await project('psk', 'v1', { 'users.yaml': '"alice@example.com": a secret of sixteen' });
    open();
    await files.look();
    assert.equal(policies.length, 1);
    const changed = (): Promise<void> => new Promise((resolve) => (onPolicy = resolve));

    let next = changed();
    await project('ring', 'v2', { 'key-ring.yaml': exampleRing(2) });
    await rm(path('ring', '..v1'), { recursive: true });
    await next;
    assert.equal(files.inForce?.policy.ring.generation, 2);

    next = changed();
    await project('psk', 'v2', { 'users.yaml': '"alice@example.com": a newer secret' });
    await rm(path('psk', '..v1'), { recursive: true });
    await next;
    assert.equal(secretOf(files.inForce?.policy, 'alice@example.com'), 'a newer secret');
    assert.deepEqual(files.faults(), []);
  });
});
