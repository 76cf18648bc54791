import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { everything, prefixSelector } from '../../../../sidecar/ike/traffic.ts';
import { EMPTY, u32Bytes } from '../../../../sidecar/ike/wire/bytes.ts';
import { notify, type Payload } from '../../../../sidecar/ike/wire/payload.ts';
import { Exchange, Ke, Notify, Protocol } from '../../../../sidecar/ike/wire/registry.ts';
import { accept } from '../../../harness/answering.ts';
import { answerChild, type ChildPart, childAnswer, childRequest, createChild } from '../../../harness/create-child-sa.ts';
import { connect, espProposal, without } from '../../../harness/handshake.ts';
import { kinds, notifies, notifyData, Peer, payload } from '../../../harness/peer.ts';
import { config, connection, ESP } from '../../../harness/policy.ts';
import { clientOf, gatewayOf, type Subject } from '../../../harness/subject.ts';

function joined(options: Parameters<typeof gatewayOf>[0] = {}): { gateway: Subject; peer: Peer } {
  const gateway = gatewayOf(options);
  const peer = Peer.towards(gateway);
  connect(peer);
  return { gateway, peer };
}
const pfs = (...keyExchange: readonly number[]) => ({ config: config({ esp: { algorithms: { ...ESP, keyExchange } } }) });
/** The child with this SPI of the peer. */
const childTo = (subject: Subject, spiOut: number) => [...subject.children.values()].find((child) => child.spiOut === spiOut);

describe('a further child, the responder', () => {
  it('gives one with keys from SK_d and both nonces', () => {
    const { gateway, peer } = joined();
    // HDR, SK {SA, Ni, TSi, TSr}  -->      <--  HDR, SK {SA, Nr, TSi, TSr}
    const { answer, keys } = createChild(peer);
    assert.deepEqual(kinds(answer), ['SA', 'NONCE', 'TSi', 'TSr']);
    assert.equal(payload(answer, 'NONCE')?.data.length, 32);
    const child = childTo(gateway, 0x0a00_0002);
    assert.deepEqual([child?.keyIn, child?.keyOut], [keys?.initiator, keys?.responder]);
    assert.deepEqual(payload(answer, 'SA')?.proposals[0]?.spi, u32Bytes(child?.spiIn ?? 0));
    assert.equal(gateway.session().children.length, 2);
  });

  it('gives one with a key exchange of its own where that is wanted', () => {
    const { gateway, peer } = joined(pfs(Ke.CURVE25519));
    // HDR, SK {SA, Ni, KEi, TSi, TSr}  -->      <--  HDR, SK {SA, Nr, KEr, TSi, TSr}
    const { answer, keys } = createChild(peer, { group: Ke.CURVE25519 });
    assert.deepEqual(kinds(answer), ['SA', 'NONCE', 'KE', 'TSi', 'TSr']);
    assert.deepEqual(childTo(gateway, 0x0a00_0002)?.keyIn, keys?.initiator);
  });

  it('ignores a KE payload where it wants no key exchange', () => {
    const { gateway, peer } = joined(pfs(Ke.NONE));
    const { answer, keys } = createChild(peer, { group: Ke.CURVE25519, groups: [Ke.CURVE25519, Ke.NONE] });
    assert.equal(payload(answer, 'KE'), undefined);
    assert.deepEqual(childTo(gateway, 0x0a00_0002)?.keyIn, keys?.initiator);
  });

  for (const [what, part, error] of [
    [
      'an ESP proposal that it does not accept',
      { change: (all) => all.map((one) => (one.kind === 'SA' ? { ...one, proposals: [espProposal(9_999, [], 128)] } : one)) },
      Notify.NO_PROPOSAL_CHOSEN,
    ],
    ['selectors beyond what the client may', { tsi: [everything(6)] }, Notify.TS_UNACCEPTABLE],
  ] as const satisfies readonly (readonly [string, ChildPart, number])[])
    it(`refuses ${what}, and the IKE SA and its other child live`, () => {
      const { gateway, peer } = joined();
      const { answer } = createChild(peer, part);
      assert.deepEqual(
        answer?.payloads.map(({ kind }) => kind),
        ['N'],
      );
      assert.deepEqual(notifies(answer), [error]);
      assert.deepEqual([gateway.session().children.length, gateway.children.size], [1, 1]);
      assert.ok(payload(createChild(peer).answer, 'SA'), 'the right one after it');
    });

  it('asks for another group, and takes it', () => {
    const { gateway, peer } = joined(pfs(Ke.ECP_256));
    // HDR, SK {SA, Ni, KEi(31), TSi, TSr}  -->      <--  HDR, SK {N(INVALID_KE_PAYLOAD, 19)}
    const { answer } = createChild(peer, { group: Ke.CURVE25519, groups: [Ke.CURVE25519, Ke.ECP_256] });
    assert.deepEqual(notifyData(answer, Notify.INVALID_KE_PAYLOAD), Uint8Array.of(0, Ke.ECP_256));
    assert.equal(gateway.children.size, 1);
    assert.ok(payload(createChild(peer, { group: Ke.ECP_256 }).answer, 'KE'));
  });

  it('answers the same request with the same bytes and one child', () => {
    const { gateway, peer } = joined();
    const datagrams = peer.sealed(Exchange.CREATE_CHILD_SA, childRequest(peer).payloads);
    const [answer] = peer.send(datagrams);
    for (let times = 0; times < 3; times++) assert.deepEqual(peer.send(datagrams)[0]?.datagrams, answer?.datagrams);
    assert.equal(gateway.children.size, 2);
  });

  it('gives no more than a bounded number', () => {
    const { gateway, peer } = joined();
    const answers = Array.from({ length: 20 }, (_, index) => createChild(peer, { spi: 0x0c00_0000 + index }).answer);
    assert.deepEqual(notifies(answers.at(-1)), [Notify.NO_ADDITIONAL_SAS]);
    assert.equal(gateway.children.size, 16);
  });

  for (const kind of ['SA', 'NONCE'])
    it(`finds a request without ${kind} malformed, and that is the end`, () => {
      const { gateway, peer } = joined();
      assert.deepEqual(notifies(createChild(peer, { change: without(kind) }).answer), [Notify.INVALID_SYNTAX]);
      assert.deepEqual([gateway.endings(), gateway.children.size], [['protocol error'], 0]);
    });

  it('is busy while it rekeys the IKE SA itself', () => {
    const { gateway, peer } = joined();
    gateway.want({ kind: 'rekeyIke' });
    // RFC 7296 §2.25.2
    assert.deepEqual(notifies(createChild(peer).answer), [Notify.TEMPORARY_FAILURE]);
    assert.equal(gateway.sessions().length, 1);
  });

  it('ignores what it is not asked to understand', () => {
    const { peer } = joined();
    const odd: Payload[] = [
      notify(Notify.ESP_TFC_PADDING_NOT_SUPPORTED),
      notify(Notify.IPCOMP_SUPPORTED, Uint8Array.of(0, 1, 2)),
      notify(45_000 as Notify),
    ];
    const { answer } = createChild(peer, { change: (all) => [...all, ...odd] });
    assert.deepEqual(kinds(answer), ['SA', 'NONCE', 'TSi', 'TSr']);
  });
});

describe('a further child, the initiator', () => {
  function client(part: Parameters<typeof connection>[0] = {}) {
    const [subject, first] = clientOf(connection(part));
    const peer = Peer.of(subject, first);
    accept(peer, first);
    const ask = () => peer.hear(subject.want({ kind: 'newChild' }))[0];
    return { subject, peer, ask };
  }
  const strict = { esp: { ...ESP, keyExchange: [Ke.CURVE25519, Ke.ECP_256] } };

  it('asks for what it may carry, and installs what it is given', () => {
    const { subject, peer, ask } = client();
    // HDR, SK {SA, Ni, TSi, TSr}  -->      <--  HDR, SK {SA, Nr, TSi, TSr}
    const request = ask();
    assert.deepEqual([request?.messageId, kinds(request)], [2, ['SA', 'NONCE', 'TSi', 'TSr']]);
    const { payloads, keys } = childAnswer(peer, request, { groups: [Ke.NONE] });
    peer.answer(request ?? peer.header(0), payloads);
    const child = childTo(subject, 0x0b00_0002);
    assert.deepEqual([child?.keyOut, child?.keyIn], [keys.initiator, keys.responder]);
    assert.equal(subject.session().children.length, 2);
  });

  it('does a key exchange of its own where that is wanted', () => {
    const { subject, peer, ask } = client(strict);
    const request = ask();
    assert.equal(payload(request, 'KE')?.group, Ke.CURVE25519);
    const { payloads, keys } = childAnswer(peer, request);
    peer.answer(request ?? peer.header(0), payloads);
    assert.deepEqual(childTo(subject, 0x0b00_0002)?.keyOut, keys.initiator);
  });

  it('takes the group that the peer wants instead', () => {
    const { subject, peer, ask } = client(strict);
    // <--  HDR, SK {N(INVALID_KE_PAYLOAD, 19)}      HDR, SK {SA, Ni, KEi(19), TSi, TSr}  -->
    const [again] = peer.answer(ask() ?? peer.header(0), [notify(Notify.INVALID_KE_PAYLOAD, Uint8Array.of(0, Ke.ECP_256))]);
    assert.equal(payload(again, 'KE')?.group, Ke.ECP_256);
    answerChild(peer, again);
    assert.equal(subject.session().children.length, 2);
  });

  it('lives without it when the peer refuses', () => {
    for (const error of [Notify.NO_ADDITIONAL_SAS, Notify.TS_UNACCEPTABLE, Notify.NO_PROPOSAL_CHOSEN, Notify.TEMPORARY_FAILURE]) {
      const { subject, peer, ask } = client();
      assert.deepEqual(peer.answer(ask() ?? peer.header(0), [notify(error)]), []);
      assert.deepEqual([subject.session().children.length, subject.named('refused').length], [1, 1]);
    }
  });

  it('asks again after a while when the peer has no time, a dozen times at most', () => {
    const { subject, peer, ask } = client();
    let request = ask();
    for (let tries = 1; tries < 12; tries++) {
      assert.deepEqual(peer.answer(request ?? peer.header(0), [notify(Notify.TEMPORARY_FAILURE)]), []);
      assert.deepEqual(subject.pass(9_000), []);
      request = peer.hear(subject.pass(11_000))[0];
      assert.deepEqual(kinds(request), ['SA', 'NONCE', 'TSi', 'TSr']);
    }
    assert.deepEqual(peer.answer(request ?? peer.header(0), [notify(Notify.TEMPORARY_FAILURE)]), []);
    assert.deepEqual([subject.pass(11_000), subject.session().children.length], [[], 1]);
  });

  it('has it when the peer finds the time, and asks no more', () => {
    const { subject, peer, ask } = client();
    peer.answer(ask() ?? peer.header(0), [notify(Notify.TEMPORARY_FAILURE)]);
    answerChild(peer, peer.hear(subject.pass(20_000))[0], { groups: [Ke.NONE] });
    assert.deepEqual([subject.session().children.length, subject.pass(8_000)], [2, []]);
  });

  for (const [what, change] of [
    [
      'selectors beyond the offer',
      (all: readonly Payload[]) => all.map((one) => (one.kind === 'TSr' ? { ...one, selectors: [prefixSelector('::/0')] } : one)),
    ],
    [
      'algorithms that were not offered',
      (all: readonly Payload[]) =>
        all.map((one) => (one.kind === 'SA' ? { ...one, proposals: [espProposal(0x0b00_0002, [], 128)] } : one)),
    ],
  ] as const)
    it(`takes none with ${what}, and has the peer delete it`, () => {
      const { subject, peer, ask } = client();
      const request = ask();
      const offered = payload(request, 'SA')?.proposals[0]?.spi ?? EMPTY;
      // <--  HDR, SK {SA, Nr, TSi, TSr}      HDR, SK {D(SPIi)}  -->
      const [next] = answerChild(peer, request, { change });
      assert.deepEqual(next?.payloads, [{ kind: 'D', protocol: Protocol.ESP, spis: [offered] }]);
      peer.answer(next ?? peer.header(0), []);
      assert.deepEqual([subject.session().children.length, subject.children.size, subject.endings()], [1, 1, []]);
    });

  it('has failed when there is an error in the answer that nobody knows, and not for a status', () => {
    for (const [unknown, expected] of [
      [9_999, 1],
      [49_999, 2],
    ] as const) {
      const { subject, peer, ask } = client();
      answerChild(peer, ask(), { groups: [Ke.NONE], change: (all) => [...all, notify(unknown as Notify)] });
      assert.equal(subject.session().children.length, expected);
    }
  });

  it('is fatal when the answer is malformed', () => {
    const { subject, peer, ask } = client();
    ask();
    peer.send([peer.sealedRaw(Exchange.CREATE_CHILD_SA, 33, Uint8Array.of(0, 0, 0, 3), { messageId: 2, response: true })]);
    assert.deepEqual(subject.endings(), ['protocol error']);
  });
});
