/** A directory of manifests: what is right takes effect, what is wrong is refused with its place and a remedy. */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ManifestDirectory } from '../../../operator/local/manifest-directory.ts';
import { parseManifests } from '../../../operator/local/manifest-file.ts';
import { ObjectStore } from '../../../operator/local/object-store.ts';
import { formatProblem } from '../../../sidecar/contract/problem.ts';
import { FakeClock } from '../../harness/fake-clock.ts';
import { scratch } from '../../harness/scratch.ts';

const TICKET_KEY =
  'apiVersion: vpn.rekindle.dev/v1alpha1\nkind: TicketKey\nmetadata: {name: office}\nspec: {ticketLifetime: 12h}\n';
const SECRET =
  'apiVersion: v1\nkind: Secret\nmetadata: {name: users}\nstringData: {users.yaml: "a@b.c: correct-horse-battery-staple"}\n';
const GATEWAY = `apiVersion: vpn.rekindle.dev/v1alpha1
kind: VpnGateway
metadata: {name: office}
spec:
  identity: vpn.example.com
  authentication: {psk: {secretRef: {name: users}}}
  pools: [{cidr: 10.8.0.0/24}]
  routes: [10.8.0.0/24]
  maxReplicas: 4
`;

function begin(files: Readonly<Record<string, string>>) {
  const { path, write } = scratch();
  for (const [name, text] of Object.entries(files)) write(name, text);
  const store = new ObjectStore(new FakeClock(), undefined);
  const said: string[] = [];
  const directory = new ManifestDirectory(path, store, new FakeClock(), {
    applied: ({ kind, metadata }, how) => said.push(`${kind} ${metadata.name} ${how}`),
    removed: ({ kind, metadata }) => said.push(`${kind} ${metadata.name} removed`),
    refused: (file, problems) =>
      said.push(...problems.map((problem) => `refused ${formatProblem(problem).replace(path, '')}`), file.slice(path.length)),
    doubted: (problems) => said.push(...problems.map((problem) => `doubt ${formatProblem(problem)}`)),
  });
  directory.look();
  return {
    store,
    said: () => said.splice(0),
    write: (name: string, text: string) => {
      writeFileSync(join(path, name), text);
      directory.look();
    },
    remove: (name: string) => {
      rmSync(join(path, name));
      directory.look();
    },
  };
}

const problems = (text: string): readonly string[] => {
  const parsed = parseManifests('m.yaml', text, () => undefined);
  return parsed.ok ? [] : parsed.problems.map(formatProblem);
};

describe('manifest directory', { timeout: 10_000 }, () => {
  it('applies every document of every file, in the namespace default, with the defaults of the schema', () => {
    const { store, said } = begin({ 'a.yaml': `${GATEWAY}---\n${SECRET}`, 'b.yml': TICKET_KEY, 'readme.txt': 'not a manifest' });
    assert.deepEqual(said(), ['VpnGateway office created', 'Secret users created', 'TicketKey office created']);
    assert.equal(store.list('VpnGateway', { namespace: 'default' }).length, 1);
    assert.match(JSON.stringify(store.list('VpnGateway')[0]?.['spec']), /"exposure":"/);
  });

  it('applies what is edited, once, and says nothing of what is not', () => {
    const { said, write, store } = begin({ 'a.yaml': TICKET_KEY, 'b.yaml': SECRET });
    said();
    write('a.yaml', TICKET_KEY.replace('12h', '6h'));
    assert.deepEqual(said(), ['TicketKey office changed']);
    assert.equal(store.list('TicketKey')[0]?.metadata['generation'], 2);
    write('b.yaml', `${SECRET}# a comment\n`);
    assert.deepEqual(said(), []);
  });

  it('deletes what is taken out of the directory', () => {
    const { said, remove, store } = begin({ 'a.yaml': TICKET_KEY, 'b.yaml': SECRET });
    said();
    remove('b.yaml');
    assert.deepEqual(said(), ['Secret users removed']);
    assert.equal(store.list('Secret').length, 0);
  });

  it('refuses a wrong file whole; what it said before stays in force, and nothing is deleted while one is not understood', () => {
    const { said, write, remove, store } = begin({ 'a.yaml': GATEWAY, 'b.yaml': SECRET });
    said();
    write('a.yaml', GATEWAY.replace('cidr: 10.8.0.0/24', 'cidr: 10.8.0.0').replace('routes', 'ruotes'));
    const [first, ...rest] = said();
    assert.match(first ?? '', /refused \/a\.yaml: spec\.\S+: .+; .+/);
    assert.ok(rest.some((line) => line.includes('spec.ruotes: unknown field; remove it')));
    assert.ok(store.list('VpnGateway').length === 1);
    remove('b.yaml');
    assert.equal(store.list('Secret').length, 1);
    write('a.yaml', GATEWAY);
    assert.equal(store.list('Secret').length, 0);
  });

  it('refuses a change of what cannot be changed', () => {
    const { said, write } = begin({ 'a.yaml': GATEWAY, 'b.yaml': SECRET });
    said();
    write('a.yaml', GATEWAY.replace('maxReplicas: 4', 'maxReplicas: 8'));
    assert.match(said()[0] ?? '', /^refused \/a\.yaml: spec\.maxReplicas: /);
  });

  it('says at once what pods will complain of: a Secret that is missing, an empty key', () => {
    const { said, write } = begin({ 'a.yaml': GATEWAY });
    assert.match(
      said().at(-1) ?? '',
      /^doubt VpnGateway office: spec\.authentication\.psk\.secretRef: there is no Secret "users"; add/,
    );
    write('b.yaml', SECRET.replace('correct-horse-battery-staple', "''"));
    const doubts = said().filter((line) => line.startsWith('doubt'));
    assert.match(doubts[0] ?? '', /Secret users: users\.yaml: \["a@b\.c"\]: the secret is empty; write one/);
  });

  it('takes an entry away that a Secret no longer has', () => {
    const { write, store } = begin({ 'b.yaml': SECRET });
    write('b.yaml', SECRET.replace('users.yaml', 'people.yaml'));
    assert.deepEqual(Object.keys(Object(store.list('Secret')[0]?.['data'])), ['people.yaml']);
  });
});

describe('manifest file', { timeout: 10_000 }, () => {
  it('names the line of text that is not YAML, and shows nothing of it', () => {
    const [problem = ''] = problems('a: b\nstringData: {x: "hidden-secret\n');
    assert.match(problem, /^m\.yaml: not valid YAML at line \d+, column \d+: /);
    assert.doesNotMatch(problem, /hidden/);
  });

  it('refuses other kinds, other fields, and data that is not base64, all at once', () => {
    const text = `${SECRET.replace('stringData: {users.yaml: "a@b.c: correct-horse-battery-staple"}', 'data: {k: "?"}\nsecretdata: {}')}---\nkind: Pod\n`;
    assert.deepEqual(problems(text), [
      'm.yaml: secretdata: unknown field; remove it; the fields here are apiVersion, kind, metadata, type, data, stringData, immutable',
      'm.yaml: data.k: not base64; write plain text under stringData instead',
      'm.yaml: kind: not a kind that the local mode knows; write one of VpnGateway, TicketKey, Secret, ConfigMap',
    ]);
  });

  it('is refused for a document that is no object at all', () => {
    assert.match(problems('- a\n')[0] ?? '', /m\.yaml: /);
    assert.deepEqual(problems('---\n---\n'), []);
  });
});
