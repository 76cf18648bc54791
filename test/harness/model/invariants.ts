/** What must be true of gateways and clients: at every moment, and when all has come to rest. */
import assert from 'node:assert/strict';
import { type Child, childPath } from '../../../sidecar/ike/child.ts';
import { type IkeSa, type InPhase, inPhase } from '../../../sidecar/ike/sa.ts';
import { equalBytes, hex } from '../../../sidecar/ike/wire/bytes.ts';
import type { Node, World } from '../world.ts';

type Session = InPhase<'established'>;

const sessionsOf = ({ sas }: Node): Session[] => [...sas.values()].filter((sa) => inPhase(sa, 'established'));
const alive = (world: World): Node[] => [...world.nodes.values()].filter((node) => node.alive);

/** At every moment. */
export function checkNodes(world: World): void {
  for (const node of alive(world)) {
    checkDataplane(node);
    const { halfOpen, established } = node.gateway.counts();
    const phases = [...node.sas.values()].map(({ phase }) => phase);
    assert.equal(established, phases.filter(({ name }) => name === 'established').length);
    assert.equal(
      halfOpen,
      phases.filter((phase) => phase.name === 'halfOpen' || (phase.name === 'gone' && !phase.proven)).length,
    );
    if (node.ordinal !== undefined) checkAddresses([node]);
  }
  checkHomes(alive(world));
}

/** Wherever a session moves, it is at one place. */
function checkHomes(nodes: readonly Node[]): void {
  const pairs = nodes
    .filter(({ ordinal }) => ordinal !== undefined)
    .flatMap((node) =>
      [...node.sas.values()].filter(({ phase }) => phase.name !== 'gone').map(({ spiI, spiR }) => `${spiI} ${spiR}`),
    );
  assert.equal(new Set(pairs).size, pairs.length, 'an SA is at two pods');
}

/** The data plane carries the children of the live sessions, to where they are, and nothing else. */
function checkDataplane(node: Node): void {
  const installed = new Map(node.children);
  for (const sa of sessionsOf(node)) {
    for (const child of sa.phase.children) {
      const carried = installed.get(child.spiIn);
      assert(carried, `${node.name} does not carry a child of a live session`);
      const { spiOut, keyIn, keyOut, local, remote } = child;
      const { path, peer } = { path: childPath(sa), peer: sa.phase.remote };
      assert.deepEqual(
        { spiOut: carried.spiOut, keyIn: carried.keyIn, keyOut: carried.keyOut, path: carried.path },
        { spiOut, keyIn, keyOut, path },
      );
      assert.deepEqual({ local: carried.local, remote: carried.remote, peer: carried.peer }, { local, remote, peer });
      installed.delete(child.spiIn);
    }
  }
  assert.equal(installed.size, 0, `${node.name} carries children of no live session`);
}

/** No inner address is held by two live sessions. */
function checkAddresses(nodes: readonly Node[]): void {
  const held = nodes.flatMap(sessionsOf).flatMap(({ phase }) => phase.inner.map(hex));
  assert.equal(new Set(held).size, held.length, `an inner address is held twice: ${held}`);
}

/** When all has come to rest: nothing under way, both sides agree about everything. */
export function checkPeace(world: World): void {
  checkNodes(world);
  checkAddresses(alive(world).filter(({ ordinal }) => ordinal !== undefined));
  const all = alive(world).flatMap((node) => [...node.sas.values()].map((sa) => ({ node, sa })));
  for (const { node, sa } of all) {
    assert.equal(sa.phase.name, 'established', `${node.name} still has an SA that is ${sa.phase.name}`);
    assert.equal(sa.window.fragments, undefined);
  }
  for (const node of alive(world)) assert.equal(node.gateway.counts().halfOpen, 0);
  const [clients, gateways] = [all.filter(isClients), all.filter((one) => !isClients(one))];
  for (const { node, sa } of clients) {
    const peers = gateways.filter((other) => other.sa.spiI === sa.spiI && other.sa.spiR === sa.spiR);
    assert.equal(peers.length, 1, `a session of ${node.name} is known to ${peers.length} gateways`);
    for (const peer of peers) agree(sa as Session, peer.sa as Session);
  }
  assert.equal(gateways.length, clients.length, 'gateways keep sessions that no client has');
}

/** Nothing is under way: no request without its answer, no child that waits for its end. */
export const isCalm = (world: World): boolean =>
  alive(world).every((node) =>
    [...node.sas.values()].every(
      (sa) =>
        inPhase(sa, 'established') &&
        !sa.window.sent &&
        sa.phase.wanted.length === 0 &&
        sa.phase.children.every(({ replacedUntil }) => replacedUntil === undefined),
    ),
  );

const isClients = ({ sa }: { readonly sa: IkeSa }): boolean => sa.connection !== undefined;

function agree(client: Session, gateway: Session): void {
  assert.notEqual(client.role, gateway.role);
  const [ours, theirs] = [client.phase, gateway.phase];
  assert.deepEqual(ours.keys, theirs.keys);
  assert.deepEqual(ours.suite, theirs.suite);
  assert.deepEqual(ours.local, theirs.remote);
  assert.deepEqual(ours.remote, theirs.local);
  assert.deepEqual(ours.inner.map(hex), theirs.inner.map(hex));
  assert.equal(client.window.next, gateway.window.expected);
  assert.equal(gateway.window.next, client.window.expected);
  assert.equal(ours.children.length, theirs.children.length, 'one side has more children than the other');
  for (const child of ours.children) {
    const mirror = theirs.children.find(({ spiIn }) => spiIn === child.spiOut);
    assert(mirror, 'a child that the gateway does not know');
    pair(child, mirror);
  }
}

function pair(one: Child, other: Child): void {
  assert.equal(one.spiIn, other.spiOut);
  assert.deepEqual(one.suite, other.suite);
  assert(equalBytes(one.keyIn.encr, other.keyOut.encr) && equalBytes(one.keyIn.integ, other.keyOut.integ));
  assert(equalBytes(one.keyOut.encr, other.keyIn.encr) && equalBytes(one.keyOut.integ, other.keyIn.integ));
  assert.deepEqual(one.local, other.remote);
  assert.deepEqual(one.remote, other.local);
}
