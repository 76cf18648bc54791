/** Files of a volume as the kubelet projects them. */
import assert from 'node:assert/strict';
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { project } from '../../../operator/local/projection.ts';
import { VolumeMissing, volumesOf } from '../../../operator/local/volume.ts';
import type { Manifest } from '../../../operator/plan/plan.ts';
import { scratch } from '../../harness/scratch.ts';

const files = (entries: Record<string, string>) =>
  new Map(Object.entries(entries).map(([name, text]) => [name, Buffer.from(text)]));
const read = (directory: string, name: string) => readFileSync(join(directory, name), 'utf8');

describe('projection', { timeout: 10_000 }, () => {
  it('puts a link per file through ..data to a directory with a timestamp', () => {
    const { path } = scratch();
    project(path, files({ 'gateway.yaml': 'one' }), '2030_01_01.1');
    assert.equal(read(path, 'gateway.yaml'), 'one');
    assert.equal(readlinkSync(join(path, 'gateway.yaml')), '..data/gateway.yaml');
    assert.equal(readlinkSync(join(path, '..data')), '..2030_01_01.1');
  });

  it('changes all files in one step: whoever opened the directory before sees the old ones to the end', () => {
    const { path } = scratch();
    project(path, files({ a: '1', b: '1' }), 'one');
    const before = lstatSync(join(path, 'a')).ino;
    project(path, files({ a: '2', b: '2' }), 'two');
    assert.deepEqual([read(path, 'a'), read(path, 'b')], ['2', '2']);
    assert.equal(lstatSync(join(path, 'a')).ino, before, 'the link itself is not touched');
    assert.deepEqual(readdirSync(path).sort(), ['..data', '..two', 'a', 'b']);
  });

  it('adds and removes names', () => {
    const { path } = scratch();
    project(path, files({ a: '1', b: '1' }), 'one');
    project(path, files({ b: '1', c: '1' }), 'two');
    assert.deepEqual([existsSync(join(path, 'a')), read(path, 'c')], [false, '1']);
  });

  it('touches nothing when nothing has changed', () => {
    const { path } = scratch();
    assert.equal(project(path, files({ a: '1' }), 'one'), true);
    assert.equal(project(path, files({ a: '1' }), 'two'), false);
    assert.equal(readlinkSync(join(path, '..data')), '..one');
  });

  it('projects no file at all into a volume that is there all the same', () => {
    const { path } = scratch();
    project(path, files({}), 'one');
    assert.deepEqual(readdirSync(path).sort(), ['..data', '..one']);
  });

  it('keeps secrets to their owner', () => {
    const { path } = scratch();
    project(path, files({ 'nested/key': 'k' }), 'one');
    assert.equal(statSync(join(path, 'nested/key')).mode & 0o777, 0o600);
    assert.equal(statSync(join(path, '..one')).mode & 0o777, 0o700);
  });
});

const podWith = (...volumes: object[]): Manifest => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'office-0', namespace: 'vpn' },
  spec: { volumes },
});

const users: Manifest = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'users', namespace: 'vpn' },
  data: { 'a.yaml': 'YQ==', 'b.yaml': 'Yg==' },
};

const authorities: Manifest = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'ca', namespace: 'vpn' },
  data: { 'ca.crt': 'PEM' },
  binaryData: { 'ca.crl': Buffer.from('DER').toString('base64') },
};

const known = (kind: string, name: string) =>
  [users, authorities].find((object) => object.kind === kind && object.metadata.name === name);

const shown = (pod: Manifest) =>
  volumesOf(pod, known).map(({ name, files: held }) => [
    name,
    Object.fromEntries([...held].map(([path, bytes]) => [path, `${Buffer.from(bytes)}`])),
  ]);

describe('volumes', { timeout: 10_000 }, () => {
  it('hold a whole Secret, or the entries that are named, under the paths that are given', () => {
    const pod = podWith(
      { name: 'all', secret: { secretName: 'users' } },
      { name: 'some', projected: { sources: [{ secret: { name: 'users', items: [{ key: 'b.yaml', path: 'x/b' }] } }] } },
      { name: 'scratch', emptyDir: {} },
    );
    assert.deepEqual(shown(pod), [
      ['all', { 'a.yaml': 'a', 'b.yaml': 'b' }],
      ['some', { 'x/b': 'b' }],
      ['scratch', {}],
    ]);
  });

  it('hold a whole ConfigMap, whose text is not in base64, alone or beside Secrets', () => {
    const pod = podWith(
      { name: 'all', configMap: { name: 'ca' } },
      { name: 'some', projected: { sources: [{ configMap: { name: 'ca' } }, { secret: { name: 'users' } }] } },
      { name: 'none', configMap: { name: 'users', optional: true } },
    );
    const [first, second, third] = shown(pod);
    assert.deepEqual(first, ['all', { 'ca.crt': 'PEM', 'ca.crl': 'DER' }]);
    assert.deepEqual(Object.keys(second?.[1] ?? {}).sort(), ['a.yaml', 'b.yaml', 'ca.crl', 'ca.crt']);
    assert.deepEqual(third, ['none', {}]);
  });

  it('are empty when an optional Secret is missing, and say which one when it is not optional', () => {
    assert.deepEqual(shown(podWith({ name: 'v', secret: { secretName: 'none', optional: true } })), [['v', {}]]);
    assert.throws(() => shown(podWith({ name: 'v', secret: { secretName: 'none' } })), /Secret "none" is not there; create it/);
  });

  it('never lead out of the volume', () => {
    for (const path of ['../x', '/etc/x', 'a/../../x', '..data']) {
      const pod = podWith({ name: 'v', secret: { secretName: 'users', items: [{ key: 'a.yaml', path }] } });
      assert.throws(() => shown(pod), VolumeMissing, path);
    }
  });
});
