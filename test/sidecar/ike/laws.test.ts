/** Laws of everything that can be said to a gateway or a client, in every phase (RFC 7296 §2.1, §2.21). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { inPhase, type PhaseName } from '../../../sidecar/ike/sa.ts';
import { encodeMessage, NO_SPI } from '../../../sidecar/ike/wire/message.ts';
import { notify } from '../../../sidecar/ike/wire/payload.ts';
import { Exchange, Notify } from '../../../sidecar/ike/wire/registry.ts';
import { Continuation, sends } from '../../harness/laws/continuation.ts';
import * as laws from '../../harness/laws/laws.ts';
import { config, connection, policy } from '../../harness/policy.ts';
import { type Node, World } from '../../harness/world.ts';

const SEED = 7296;
const { moments, overheard } = laws.honest();

const STRANGER = { local: '10.0.0.10:500', remote: '203.0.113.9:500' };

/** A gateway and a client with a session. */
function pair(seed: number) {
  const world = new World(seed);
  const [pod, client] = [world.pod(0), world.client('client')];
  world.do(pod, { type: 'configure', policy: policy() });
  world.do(client, { type: 'connect', connection: connection(), ticket: undefined });
  world.run(20);
  return { world, pod, client };
}

function want(world: World, node: Node, kind: 'rekeyIke' | 'rekeyChild'): void {
  const [session] = node.sessions();
  const [spiIn = 0] = session?.children ?? [];
  world.do(node, { type: 'want', spi: session?.spi ?? '', intent: kind === 'rekeyIke' ? { kind } : { kind, spiIn } });
}

/** `keyed` lasts for no time: IKE_AUTH follows in the same step. */
const PHASES: Readonly<Record<Exclude<PhaseName, 'keyed'>, true>> = {
  ...{ initSent: true, resumeSent: true, intermediateSent: true, authSent: true, halfOpen: true },
  ...{ eapHeard: true, eapSaid: true, eapAuthSent: true, eapAsked: true, eapSent: true, eapProven: true },
  ...{ established: true, replaced: true, closing: true, gone: true },
};

describe('the moments that the laws begin from', () => {
  it('are in every phase, of both sides, and in the middle of every exchange', () => {
    const names = moments.map(({ name }) => name);
    for (const phase of Object.keys(PHASES))
      assert(
        names.some((name) => name.split(' ')[1] === phase),
        phase,
      );
    for (const exchange of ['newChild', 'rekeyChild', 'rekeyIke', 'deleteChild', 'liveness'])
      for (const side of ['client', 'gateway']) assert(names.includes(`${side} established ${exchange}`), `${side} ${exchange}`);
    for (const name of [
      'client established rekeyIke rival',
      'gateway halfOpen resumed',
      'client authSent fragment',
      'gateway established certificate',
      'client authSent certificate',
    ])
      assert(names.includes(name), name);
  });
});

describe('a peer with the right keys', () => {
  it('in every phase, every exchange in both directions is handled or ignored', () => {
    for (const moment of moments)
      for (const exchange of Object.values(Exchange))
        for (const response of [false, true]) {
          const subject = new Continuation(moment);
          const honest = overheard.find((one) => one.exchange === exchange && one.response === response);
          const message = { exchange, response, payloads: honest?.payloads ?? [] };
          for (const bytes of subject.from(message, { idOffset: 0, limit: 60_000 })) subject.hear(bytes);
        }
  });

  it('can say whatever it likes: an answer, an error or nothing, and nothing is left when it falls silent', () => {
    fc.assert(laws.authenticMessages(), { seed: SEED, numRuns: 1_500 });
  });

  it('is told once what EAP made of it, whatever that is and whenever', () => {
    fc.assert(laws.eapAnswers(), { seed: SEED, numRuns: 600 });
  });

  it('has the same keys as we, on both sides of every SA', () => {
    for (const moment of moments) {
      const { sa } = new Continuation(moment);
      if (!sa || !inPhase(sa, 'established')) continue;
      const others = moments.map((other) => new Continuation(other).sa).filter((other) => other?.spiI === sa.spiI);
      for (const other of others)
        if (other && inPhase(other, 'established') && other.spiR === sa.spiR) assert.deepEqual(other.phase.keys, sa.phase.keys);
    }
  });
});

describe('two sides that rekey at the same moment', () => {
  for (const kind of ['rekeyIke', 'rekeyChild'] as const)
    it(`are left with one IKE SA and one child, whichever ${kind} had the lowest nonce`, () => {
      for (let seed = 1; seed <= 12; seed++) {
        const { world, pod, client } = pair(seed);
        for (const node of [client, pod]) want(world, node, kind);
        world.run(20_000); // longer than the old SA answers copies of its last request
        for (const node of [client, pod]) {
          assert.deepEqual(Array.from(node.sas.values(), ({ phase }) => phase.name).sort(), ['established']);
          assert.equal(node.children.size, 1);
        }
      }
    });
});

describe('a stranger', () => {
  it('gets no cookie for less than it costs to send one', () => {
    const cookies = policy({ config: config({ ike: { cookieThreshold: 0 } }) });
    const { pod, world } = pair(1);
    world.do(pod, { type: 'configure', policy: cookies });
    const header = { spiI: 'feedfeedfeedfeed', spiR: NO_SPI, exchange: Exchange.IKE_SESSION_RESUME, response: false };
    const resume = (ticket: Uint8Array): Uint8Array =>
      encodeMessage({
        ...{ ...header, initiator: true, messageId: 0 },
        payloads: [{ kind: 'NONCE', data: new Uint8Array(16) }, notify(Notify.TICKET_OPAQUE, ticket)],
      });
    const answers = (bytes: Uint8Array) => sends(pod.gateway.handle({ type: 'datagram', path: STRANGER, bytes }, world.now));
    assert.deepEqual(answers(resume(new Uint8Array(0))), []);
    assert.equal(answers(resume(new Uint8Array(60))).length, 1);
  });

  it('moves no SA that has keys, with anything in clear, and is never answered at length', () => {
    fc.assert(laws.clearMessages(), { seed: SEED, numRuns: 400 });
  });

  it('moves nothing with anything that looks encrypted', () => {
    fc.assert(laws.forgedMessages(), { seed: SEED, numRuns: 300 });
  });

  it('moves nothing with honest datagrams that are cut, changed or lengthened', () => {
    fc.assert(laws.mangledDatagrams(), { seed: SEED, numRuns: 600 });
  });

  it('gets one SA at most for a first request, the same answer to a copy of it, and a cookie when that is the rule', () => {
    fc.assert(laws.firstRequests(), { seed: SEED, numRuns: 400 });
  });

  it('is never answered when it sends answers', () => {
    for (const moment of moments) {
      const subject = new Continuation(moment);
      if (subject.waits) continue;
      for (const exchange of Object.values(Exchange))
        for (const spiR of ['0'.repeat(16), subject.sa?.spiR ?? '']) {
          const header = { spiI: 'feedfeedfeedfeed', spiR, exchange, response: true, initiator: true, messageId: 0 };
          assert.deepEqual(sends(subject.hear(laws.inClear(header))), []);
        }
    }
  });
});
