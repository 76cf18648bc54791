/** Handshakes of every kind that are begun and left, by the thousand: nothing of them stays, and none costs more than its phase may. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEFAULT_RULES } from '../../../sidecar/contract/authentication-yaml.ts';
import { signatureHashes } from '../../../sidecar/ike/signature-auth.ts';
import { eapBody } from '../../../sidecar/ike/wire/eap-payload.ts';
import { notify, type Payload } from '../../../sidecar/ike/wire/payload.ts';
import { Exchange, Ke, Notify } from '../../../sidecar/ike/wire/registry.ts';
import { alice, certificates, certified, issuing, NOW, signing } from '../../harness/certified.ts';
import { type Counts, counted } from '../../harness/counted-cryptography.ts';
import { outcome, packet } from '../../harness/eap-script.ts';
import {
  adding,
  authPayloads,
  childOffer,
  configuration,
  connect,
  ikeAuth,
  ikeSaInit,
  ikeSessionResume,
  ticketIn,
} from '../../harness/handshake.ts';
import { ikeIntermediate, withAdditional } from '../../harness/intermediate.ts';
import { notifies, Peer, payload } from '../../harness/peer.ts';
import { AEAD, ALICE, CERTIFICATE_RULE, config, eapRule, fqdn } from '../../harness/policy.ts';
import { configure, Subject } from '../../harness/subject.ts';

const RULES = [...DEFAULT_RULES.map((rule) => ({ ...rule, maxSessions: 1_000_000 })), CERTIFICATE_RULE, eapRule({ name: 'eap' })];
const ALGORITHMS = { ...AEAD, additionalKeyExchange: [Ke.ML_KEM_512, Ke.ML_KEM_768] };

/** A gateway that can do everything, and what it was made to do. */
function gatewayThatCounts(part: Parameters<typeof config>[0] = {}): { gateway: Subject; counts: Counts } {
  const { crypto, counts } = counted();
  const gateway = new Subject({ ordinal: 0, crypto });
  gateway.now = NOW;
  const ike = { algorithms: ALGORITHMS, cookieThreshold: 1_000_000, maxHalfOpen: 1_000_000, ...part.ike };
  configure(gateway, certified({ config: config({ authentication: RULES, ...part, ike }), crypto }));
  return { gateway, counts };
}

const eapRequest = (): Payload[] => [{ kind: 'IDi', ...ALICE }, configuration(), ...childOffer(0x0a00_0001)];
const huge = new Uint8Array(5_000).fill(0x30);
const CHILD = 0x0a00_0001;

function begunEap(peer: Peer): string {
  ikeSaInit(peer, { change: adding(signatureHashes()) });
  peer.request(Exchange.IKE_AUTH, eapRequest());
  return peer.subject.eap.at(-1)?.conversation ?? assert.fail('no conversation');
}

const answered = (peer: Peer, conversation: string): void => {
  peer.subject.do({ type: 'eap-answered', conversation, answer: { is: 'packet', message: packet(1, 1) } });
};

/** What each of the clients does before it falls silent. */
const KINDS: Readonly<Record<string, (peer: Peer, seed: number) => void>> = {
  'only IKE_SA_INIT': (peer) => ikeSaInit(peer),
  'a wrong key': (peer) => connect(peer, { psk: new Uint8Array(20) }),
  'all fragments but the last': (peer) => {
    ikeSaInit(peer);
    const datagrams = peer.sealed(Exchange.IKE_AUTH, [...authPayloads(peer), { kind: 'V', data: new Uint8Array(9_000) }], {
      messageId: 1,
      limit: 600,
    });
    for (const bytes of datagrams.slice(0, -1)) peer.subject.receive(bytes, peer.path);
  },
  'certificates that are too large': (peer) => {
    ikeSaInit(peer);
    ikeAuth(peer, { change: (all) => [...certificates(Array.from({ length: 10 }, () => huge)), ...all], limit: 60_000 });
  },
  'more certificates than anybody has': (peer) => {
    ikeSaInit(peer, { change: adding(signatureHashes()) });
    const chain = [alice.der, ...Array.from({ length: 60 }, () => issuing.issued.der)];
    ikeAuth(peer, { change: signing(peer, alice, { chain, spoil: true }) });
  },
  'a certificate and a wrong signature': (peer) => {
    ikeSaInit(peer, { change: adding(signatureHashes()) });
    ikeAuth(peer, { change: signing(peer, alice, { spoil: true }) });
  },
  'EAP that nobody answers': (peer) => begunEap(peer),
  'EAP that was asked for and is not gone on with': (peer) => answered(peer, begunEap(peer)),
  'EAP in the middle of a conversation': (peer) => {
    const conversation = begunEap(peer);
    answered(peer, conversation);
    peer.request(Exchange.IKE_AUTH, [{ kind: 'EAP', ...eapBody(packet(2, 1)) }]);
  },
  'EAP that succeeded, without the AUTH after it': (peer) => {
    const conversation = begunEap(peer);
    const answer = { is: 'success', message: packet(3, 1), ...outcome() } as const;
    peer.subject.do({ type: 'eap-answered', conversation, answer });
  },
  'EAP that failed': (peer) => {
    const conversation = begunEap(peer);
    peer.subject.do({ type: 'eap-answered', conversation, answer: { is: 'failure', message: undefined, why: 'test' } });
  },
  'further key exchanges that were agreed on, and none of them': (peer) =>
    ikeSaInit(peer, { change: withAdditional([Ke.ML_KEM_512], [Ke.ML_KEM_768]) }),
  'one of two further key exchanges': (peer) => {
    ikeSaInit(peer, { change: withAdditional([Ke.ML_KEM_512], [Ke.ML_KEM_768]) });
    ikeIntermediate(peer, Ke.ML_KEM_512);
  },
  'IKE_AUTH in place of a further key exchange': (peer) => {
    ikeSaInit(peer, { change: withAdditional([Ke.ML_KEM_512]) });
    ikeAuth(peer);
  },
  'a session that is never heard of again': (peer, seed) => connect(peer, { spi: CHILD + seed }),
};

const MANY = 40;
const crowd = (gateway: Subject, run: (peer: Peer, seed: number) => void, many = MANY): void => {
  for (let seed = 1; seed <= many; seed++) {
    const path = { local: '10.0.0.10:500', remote: `198.18.${seed >> 8}.${seed & 255}:500` };
    run(Peer.towards(gateway, { seed, path }), seed);
  }
};

function isEmpty(gateway: Subject): void {
  const { halfOpen, established } = gateway.gateway.counts();
  assert.deepEqual([halfOpen, established, gateway.phases(), gateway.children.size], [0, 0, [], 0]);
  assert.equal(gateway.gateway.deadline(), undefined, 'and nothing is due');
  const open = new Set(gateway.eap.map(({ conversation }) => conversation));
  for (const conversation of gateway.forgotten) open.delete(conversation);
  assert.deepEqual([...open], [], 'whoever speaks EAP is told that nobody goes on');
}

describe('of handshakes that are left', () => {
  for (const [kind, run] of Object.entries(KINDS))
    it(`nothing stays: ${kind}`, () => {
      const { gateway } = gatewayThatCounts();
      crowd(gateway, run);
      gateway.pass(600_000);
      isEmpty(gateway);
    });

  it('nothing stays: a ticket that was opened, and no proof after it', () => {
    const { gateway } = gatewayThatCounts();
    const first = Peer.towards(gateway, { seed: 5_000 });
    const held = ticketIn(first, connect(first));
    crowd(gateway, (peer) => assert.ok(payload(ikeSessionResume(peer, held), 'NONCE')));
    gateway.pass(600_000);
    isEmpty(gateway);
  });

  it('nothing stays: clients that were sent elsewhere and do not go, before and after they have proven themselves', () => {
    const { gateway } = gatewayThatCounts({ redirect: { to: fqdn('vpn2.example.com'), when: 'always' } });
    const supported = { change: adding(notify(Notify.REDIRECT_SUPPORTED)) };
    crowd(gateway, (peer) => assert.deepEqual(notifies(ikeSaInit(peer, supported)), [Notify.REDIRECT]));
    isEmpty(gateway);
    const later = gatewayThatCounts().gateway;
    crowd(later, (peer) => void ikeSaInit(peer, supported));
    configure(
      later,
      certified({ config: config({ authentication: RULES, redirect: { to: fqdn('vpn2.example.com'), when: 'always' } }) }),
    );
    later.pass(600_000);
    isEmpty(later);
  });
});

describe('what a stranger can make the gateway do', () => {
  const UNDER_LOAD = { ike: { cookieThreshold: 0 } };
  const spent = (run: (peer: Peer, seed: number) => void, part = UNDER_LOAD): Counts => {
    const { gateway, counts } = gatewayThatCounts(part);
    const before = { ...counts };
    crowd(gateway, run, 10);
    const { keyExchange, verified, signed, imported, opened } = counts;
    return {
      ...{ prf: counts.prf - before.prf, keyExchange: keyExchange - before.keyExchange, opened: opened - before.opened },
      ...{ verified: verified - before.verified, signed: signed - before.signed, imported: imported - before.imported },
    };
  };

  it('before it has brought a cookie back is no work with public keys at all', () => {
    for (const group of [Ke.CURVE25519, Ke.ECP_256])
      for (const change of [(all: readonly Payload[]) => all, withAdditional([Ke.ML_KEM_768]), adding(signatureHashes())]) {
        const { keyExchange, verified, signed, imported, opened } = spent((peer) => ikeSaInit(peer, { group, change }));
        assert.deepEqual([keyExchange, verified, signed, imported, opened], [0, 0, 0, 0, 0]);
      }
  });

  it('without keys of the SA is no work with certificates', () => {
    const { verified, signed, imported } = spent(
      (peer) => {
        ikeSaInit(peer, { change: adding(signatureHashes()) });
        const bytes = peer.sealed(Exchange.IKE_AUTH, authPayloads(peer, { change: signing(peer, alice) }), {
          messageId: 1,
          limit: 60_000,
        });
        for (const one of bytes) peer.subject.receive(one.with(-1, (one.at(-1) ?? 0) ^ 1), peer.path);
      },
      { ike: { cookieThreshold: 1_000 } },
    );
    assert.deepEqual([verified, signed, imported], [0, 0, 0]);
  });

  it('with one handshake is bounded, however many certificates and signatures it sends', () => {
    const { verified, imported } = spent(
      (peer) => {
        ikeSaInit(peer, { change: adding(signatureHashes()) });
        const chain = [alice.der, ...Array.from({ length: 100 }, () => issuing.issued.der)];
        ikeAuth(peer, { change: signing(peer, alice, { chain, spoil: true }) });
        for (let again = 0; again < 3; again++) ikeAuth(peer, { change: signing(peer, alice, { chain, spoil: true }) });
      },
      { ike: { cookieThreshold: 1_000 } },
    );
    assert.deepEqual([verified, imported], [10, 10], 'one of each for ten of them: a handshake that failed is over');
  });

  it('by EAP is one signature of the gateway for each handshake, and one conversation', () => {
    const { gateway, counts } = gatewayThatCounts();
    crowd(gateway, (peer) => {
      answered(peer, begunEap(peer));
      for (let round = 0; round < 3; round++) peer.send(peer.sealed(Exchange.IKE_AUTH, eapRequest(), { messageId: 1 }));
    });
    assert.equal(counts.signed, MANY);
    assert.equal(gateway.eap.length, MANY);
  });
});
