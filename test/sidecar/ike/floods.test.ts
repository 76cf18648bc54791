/** What a flood costs (ARCHITECTURE: nothing unauthenticated allocates beyond a cap or costs public-key work before a cookie under load). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { TRUSTS_NOBODY } from '../../../sidecar/ike/pki/trust.ts';
import { concat } from '../../../sidecar/ike/wire/bytes.ts';
import { encodeMessage, encodePrefix, NO_SPI } from '../../../sidecar/ike/wire/message.ts';
import { notify, type Payload } from '../../../sidecar/ike/wire/payload.ts';
import { Exchange, Ke, Notify } from '../../../sidecar/ike/wire/registry.ts';
import { counted } from '../../harness/counted-cryptography.ts';
import { connect, ikeProposal, ikeSaInit } from '../../harness/handshake.ts';
import { harvest } from '../../harness/laws/moments.ts';
import { crypto, Peer } from '../../harness/peer.ts';
import { CERTIFICATE_RULE, config, fqdn, policy } from '../../harness/policy.ts';
import { seeded } from '../../harness/random.ts';
import { configure, gatewayOf, type Sent, Subject } from '../../harness/subject.ts';

const LIMITS = config({ ike: { cookieThreshold: 40, maxHalfOpen: 120 } });
const GATEWAY = '10.0.0.10:500';
const hostOf = (number: number): string => `${11 + (number >> 16)}.${(number >> 8) & 0xff}.${number & 0xff}.7:500`;
const spiOf = (number: number): string => (0xabc0_0000_0000_0000n + BigInt(number)).toString(16);

/** What an honest client would send first, as if it came from somebody else. */
const honest =
  harvest().overheard.find(({ exchange, response }) => exchange === Exchange.IKE_SA_INIT && !response)?.payloads ?? [];

const first = (number: number, exchange: number, payloads: readonly Payload[]): Uint8Array =>
  encodeMessage({
    ...{ spiI: spiOf(number), spiR: NO_SPI, exchange, response: false, initiator: true, messageId: 0 },
    payloads,
  });
const init = (number: number, ...before: readonly Payload[]): Uint8Array =>
  first(number, Exchange.IKE_SA_INIT, [...before, ...honest]);
const resume = (number: number, ticket: Uint8Array): Uint8Array =>
  first(number, Exchange.IKE_SESSION_RESUME, [
    { kind: 'NONCE', data: new Uint8Array(32).fill(number) },
    notify(Notify.TICKET_OPAQUE, ticket),
  ]);

const receive = (gateway: Subject, number: number, bytes: Uint8Array): Sent[] =>
  gateway.receive(bytes, { local: GATEWAY, remote: hostOf(number) });
const length = (sent: readonly Sent[]): number => sent.reduce((sum, { bytes }) => sum + bytes.length, 0);

function guarded() {
  const { crypto, counts } = counted();
  const gateway = new Subject({ ordinal: 0, crypto });
  configure(gateway, policy({ config: LIMITS }));
  return { gateway, counts };
}

describe('a flood of IKE_SA_INIT from everywhere', () => {
  it('gets key exchanges up to the threshold, then cookies, which cost none and keep nothing', () => {
    const { gateway, counts } = guarded();
    for (let number = 0; number < 2_000; number++) {
      const bytes = init(number);
      const sent = receive(gateway, number, bytes);
      if (number >= 40) assert(sent.length === 1 && length(sent) < bytes.length);
    }
    assert.equal(gateway.gateway.counts().halfOpen, 40);
    assert.equal(counts.keyExchange, 2 * 40);
    assert.equal(gateway.named('cookie-demanded').length, 2_000 - 40);
    gateway.pass(60_000);
    assert.equal(gateway.gateway.counts().halfOpen, 0);
  });

  it('with cookies of its own invention costs no key exchange either', () => {
    const { gateway, counts } = guarded();
    const random = seeded(3);
    for (let number = 0; number < 40; number++) receive(gateway, number, init(number));
    for (let number = 40; number < 1_000; number++) receive(gateway, number, init(number, notify(Notify.COOKIE, random(25))));
    assert.equal(counts.keyExchange, 2 * 40);
  });

  it('from addresses that do receive is bounded by the number of half-open SAs', () => {
    const { gateway, counts } = guarded();
    for (let number = 0; number < 500; number++) {
      const [answer] = receive(gateway, number, init(number));
      // The answer to a demand for a cookie begins with it: 28 bytes of header, 8 of the notify.
      if (answer && answer.bytes.length < 100)
        receive(gateway, number, init(number, notify(Notify.COOKIE, answer.bytes.slice(36))));
    }
    assert.equal(gateway.gateway.counts().halfOpen, 120);
    assert.equal(counts.keyExchange, 2 * 120);
    assert(gateway.drops().every((reason) => reason === 'half-open-limit'));
  });

  it('does not end the sessions that there are, nor keep one of them from being used', () => {
    const gateway = gatewayOf({ config: LIMITS });
    const peer = Peer.towards(gateway);
    connect(peer);
    for (let number = 0; number < 500; number++) receive(gateway, number, init(number));
    assert(peer.request(Exchange.INFORMATIONAL, []));
    assert.equal(gateway.gateway.counts().established, 1);
  });
});

describe('an answer to a stranger', () => {
  /** Nothing in it that could be left out. */
  const bare = (number: number): Uint8Array => {
    const group = crypto.keyExchange(Ke.CURVE25519) ?? assert.fail();
    return first(number, Exchange.IKE_SA_INIT, [
      { kind: 'SA', proposals: [ikeProposal()] },
      { kind: 'KE', group: Ke.CURVE25519, data: group.generate(seeded(number)).publicValue },
      { kind: 'NONCE', data: new Uint8Array(16) },
    ]);
  };

  for (const anchors of [0, 1, 20, 200])
    it(`is at most three times as long as what it answers, with ${anchors} authorities to ask for`, () => {
      const made = policy({ config: config({ authentication: [CERTIFICATE_RULE] }) });
      const keyHashes = Array.from({ length: anchors }, (_, at) => new Uint8Array(20).fill(at));
      const gateway = new Subject({ ordinal: 0 });
      configure(gateway, {
        ...made,
        credentials: { ...made.credentials, trust: { ...TRUSTS_NOBODY, size: anchors, keyHashes } },
      });
      const bytes = bare(1);
      const sent = receive(gateway, 1, bytes);
      assert.equal(gateway.gateway.counts().halfOpen, 1);
      assert(length(sent) <= 3 * bytes.length, `${length(sent)} bytes to ${bytes.length}`);
    });
});

describe('a refusal to a stranger', () => {
  const answerTo = (
    part: Parameters<typeof config>[0],
    payloads: readonly Payload[],
    exchange = Exchange.IKE_SA_INIT as number,
  ) => {
    const gateway = gatewayOf({ config: config(part) });
    const bytes = first(1, exchange, payloads);
    return { bytes, sent: receive(gateway, 1, bytes) };
  };
  const to = fqdn(`${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.example.com`);
  const redirect = { to, when: 'always' } as const;
  const wanted = { kind: 'NONCE', data: new Uint8Array(16) } as const;
  const proposal = { kind: 'SA', proposals: [ikeProposal([Ke.MODP_2048])] } as const;
  const ke = { kind: 'KE', group: Ke.MODP_2048, data: new Uint8Array(4) } as const;

  it('is left out where it would be longer than what it answers: REDIRECT to a long name', () => {
    const payloads = [proposal, ke, wanted, notify(Notify.REDIRECT_SUPPORTED)];
    assert.deepEqual(answerTo({ redirect }, payloads).sent, []);
    const { bytes, sent } = answerTo({ redirect }, [...payloads, { kind: 'V', data: new Uint8Array(300) }]);
    assert(sent.length === 1 && length(sent) <= bytes.length);
    assert.deepEqual(
      answerTo({ redirect }, [wanted, notify(Notify.TICKET_OPAQUE), notify(Notify.REDIRECT_SUPPORTED)], 38).sent,
      [],
    );
  });

  it('is never longer than the shortest request that gets it', () => {
    for (const [part, payloads, exchange] of [
      [{ ike: { cookieThreshold: 0 } }, [proposal, ke, wanted], Exchange.IKE_SA_INIT],
      [{}, [proposal, ke, wanted], Exchange.IKE_SA_INIT],
      [{ ike: { postQuantum: 'required' } }, [proposal, ke, wanted], Exchange.IKE_SA_INIT],
      [{}, [wanted, notify(Notify.TICKET_OPAQUE)], Exchange.IKE_SESSION_RESUME],
      [{}, [wanted], Exchange.IKE_SESSION_RESUME],
      [{}, [], Exchange.IKE_SA_INIT],
    ] as const) {
      const { bytes, sent } = answerTo(part, payloads, exchange);
      assert(length(sent) <= bytes.length, `${length(sent)} bytes to ${bytes.length}`);
    }
    const gateway = gatewayOf();
    const version = first(1, Exchange.IKE_SA_INIT, []).with(17, 0x30);
    assert(length(receive(gateway, 1, version)) <= version.length);
  });
});

describe('a flood of tickets', () => {
  it('that nobody sealed gets refusals no longer than itself, and costs neither a key exchange nor a place', () => {
    const { gateway, counts } = guarded();
    const random = seeded(4);
    const ours = new Uint8Array(8).fill(1);
    for (let number = 0; number < 1_000; number++) {
      const keyId = number % 2 === 0 ? ours : random(8);
      const bytes = resume(number, concat(Uint8Array.of(1, 0, 0, 0), keyId, random(200)));
      assert(length(receive(gateway, number, bytes)) <= bytes.length);
    }
    assert.equal(gateway.named('ticket-refused').length, 1_000);
    assert.deepEqual([counts.keyExchange, gateway.gateway.counts().halfOpen], [0, 0]);
    assert(counts.opened <= 500, 'a ticket of an unknown key is not even opened');
  });
});

describe('a flood of SPIs that nobody has', () => {
  it('is dropped without an answer, and without a question to a sibling', () => {
    const gateway = gatewayOf({ config: { ...LIMITS, peers: { host: 'pod-{ordinal}', replicas: 4 } } });
    const asked = gateway.questions.length;
    const random = seeded(5);
    for (let number = 0; number < 3_000; number++) {
      const spiR = Buffer.from(concat(Uint8Array.of(0, number % 4), random(6))).toString('hex');
      const header = { spiI: spiOf(number), spiR, response: false, initiator: true, messageId: 1, exchange: Exchange.IKE_AUTH };
      const body = random(80);
      const bytes = concat(encodePrefix(header, { first: 35, bodyLength: body.length }), body);
      assert.deepEqual(receive(gateway, number, bytes), []);
    }
    assert(gateway.questions.length - asked <= 3, 'one in 65536 guesses the MAC');
  });
});

describe('a flood of fragments', () => {
  const fragmentOf = (peer: Peer, number: number, total: number, size: number): Uint8Array => {
    const header = peer.header(Exchange.IKE_AUTH, { messageId: 1 });
    return concat(encodePrefix(header, { first: 0, fragment: { number, total }, bodyLength: size }), new Uint8Array(size));
  };

  it('that are not authentic keeps nothing', () => {
    const { gateway } = guarded();
    const peer = Peer.towards(gateway);
    ikeSaInit(peer);
    for (let number = 2; number <= 400; number++) gateway.receive(fragmentOf(peer, number, 400, 1_000), peer.path);
    assert(gateway.drops().every((reason) => reason === 'not-authentic'));
    assert.equal(gateway.named('established').length, 0);
  });
});

describe('everything at once', () => {
  it('leaves no more behind than its limits say', () => {
    setFlagsFromString('--expose-gc');
    const collect: () => void = runInNewContext('gc');
    const { gateway, now } = gatewayOf({ config: LIMITS });
    const random = seeded(6);
    const storm = (from: number, to: number): void => {
      for (let number = from; number < to; number++) {
        const path = { local: GATEWAY, remote: hostOf(number) };
        const forged = concat(Buffer.from(spiOf(number), 'hex'), random(8), Uint8Array.of(46, 0x20, 35, 8), random(60));
        for (const bytes of [init(number), resume(number, random(120)), random(80), forged])
          gateway.handle({ type: 'datagram', bytes, path }, now);
      }
    };
    const used = (): number => {
      collect();
      return process.memoryUsage().heapUsed;
    };
    storm(0, 500); // compiles, and fills what is bounded
    const before = used();
    storm(500, 4_000);
    const grown = used() - before;
    assert(grown < 1_000_000, `${grown} bytes after 14000 datagrams`);
  });
});
