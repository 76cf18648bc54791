/** What time does to an SA: liveness, rekeys by lifetime, re-authentication (RFC 7296 §2.4, §2.8). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { u32Bytes } from '../../../sidecar/ike/wire/bytes.ts';
import { notify, type Payload } from '../../../sidecar/ike/wire/payload.ts';
import { Exchange, Ke, Notify, Protocol } from '../../../sidecar/ike/wire/registry.ts';
import { accept } from '../../harness/answering.ts';
import { answerChild, createChild, ikeAnswer, rekeyIke } from '../../harness/create-child-sa.ts';
import { connect } from '../../harness/handshake.ts';
import { type Heard, kinds, notifies, Peer } from '../../harness/peer.ts';
import { config, connection } from '../../harness/policy.ts';
import { clientOf, gatewayOf, type Subject } from '../../harness/subject.ts';

const MINUTE = 60_000;
const endIke: Payload = { kind: 'D', protocol: Protocol.IKE, spis: [] };

function joined(part: Parameters<typeof config>[0] = {}, seed = 1): { gateway: Subject; peer: Peer } {
  const gateway = gatewayOf({ config: config({ ...part, ike: { deadPeerMs: 0, ...part.ike } }) }, { seed });
  const peer = Peer.towards(gateway);
  connect(peer);
  return { gateway, peer };
}

/** Lets time pass until something is sent; answers when, and what. */
function next(subject: Subject, peer: Peer, within: number): { after: number; heard: Heard | undefined } {
  const start = subject.now;
  for (let due = subject.gateway.deadline(); due && due.at <= start + within; due = subject.gateway.deadline()) {
    const [heard] = peer.hear(subject.pass(due.at - subject.now));
    if (heard) return { after: subject.now - start, heard };
  }
  return { after: Number.POSITIVE_INFINITY, heard: undefined };
}

describe('liveness', () => {
  it('is asked for after silence, and the answer is enough', () => {
    const { gateway, peer } = joined({ ike: { deadPeerMs: 30_000 } });
    const { after, heard } = next(gateway, peer, MINUTE);
    assert.deepEqual([heard?.exchange, heard?.payloads], [Exchange.INFORMATIONAL, []]);
    assert.ok(after <= 30_000 && after >= 27_000, `after ${after}`);
    peer.answer(heard ?? peer.header(0), []);
    const again = next(gateway, peer, MINUTE);
    assert.ok(again.after <= 30_000 && again.after >= 27_000, 'the answer counts as a sign of life');
  });

  it('is not asked for as long as there are signs of life: messages, or packets of a child', () => {
    const { gateway, peer } = joined({ ike: { deadPeerMs: 30_000 } });
    for (let times = 0; times < 5; times++) {
      assert.deepEqual(gateway.pass(20_000), []);
      if (times % 2) peer.request(Exchange.INFORMATIONAL, []);
      else gateway.do({ type: 'report', report: { report: 'alive', spiIn: gateway.session().children[0] ?? 0 } });
    }
  });

  it('is not shown by a message that is not authentic, nor by a repetition', () => {
    const { gateway, peer } = joined({ ike: { deadPeerMs: 30_000 } });
    const [datagram = new Uint8Array()] = peer.sealed(Exchange.INFORMATIONAL, []);
    peer.send([datagram]);
    const due = gateway.gateway.deadline()?.at;
    gateway.pass(10_000);
    peer.send([datagram]);
    peer.send(
      peer
        .sealed(Exchange.INFORMATIONAL, [], { messageId: 3 })
        .map((bytes) => bytes.map((byte, at) => (at === 40 ? byte ^ 1 : byte))),
    );
    assert.equal(gateway.gateway.deadline()?.at, due);
  });

  it('that nobody answers ends the SA, silently', () => {
    const { gateway, peer } = joined({ ike: { deadPeerMs: 30_000 } });
    const sent = peer.hear(gateway.pass(2 * MINUTE));
    assert.equal(sent.length, 5);
    assert.ok(sent.every(({ payloads }) => payloads.length === 0));
    assert.deepEqual([gateway.endings(), gateway.phases(), gateway.children.size], [['peer dead'], [], 0]);
  });

  it('is of no interest where it is switched off', () => {
    assert.deepEqual(joined().gateway.pass(24 * 60 * MINUTE - 1), []);
  });

  it('is the business of a client too', () => {
    const [client, first] = clientOf(connection({ deadPeerMs: 10_000 }));
    const peer = Peer.of(client, first);
    accept(peer, first);
    assert.deepEqual(next(client, peer, MINUTE).heard?.payloads, []);
    client.pass(MINUTE);
    assert.deepEqual(client.endings(), ['peer dead']);
  });
});

describe('a rekey by lifetime', () => {
  it('of a child begins by itself, within the last tenth of its time, not always at the same instant', () => {
    const instants = [1, 2, 3, 4].map((seed) => {
      const { gateway, peer } = joined({ esp: { rekeyMs: 10 * MINUTE } }, seed);
      const { after, heard } = next(gateway, peer, 20 * MINUTE);
      assert.ok(notifies(heard).includes(Notify.REKEY_SA));
      assert.ok(after >= 9 * MINUTE && after <= 10 * MINUTE, `after ${after}`);
      return after;
    });
    assert.ok(new Set(instants).size > 1);
  });

  it('of a child goes on with the next one', () => {
    const { gateway, peer } = joined({ esp: { rekeyMs: 10 * MINUTE } });
    for (let times = 0; times < 3; times++) {
      const { after, heard } = next(gateway, peer, 20 * MINUTE);
      assert.ok(after >= 9 * MINUTE - 1);
      const [removal] = answerChild(peer, heard, { spi: 0x0b00_0010 + times, groups: [Ke.NONE] });
      peer.answer(removal ?? peer.header(0), []);
    }
    assert.deepEqual(
      [...gateway.children.values()].map(({ spiOut }) => spiOut),
      [0x0b00_0012],
    );
  });

  it('of a child that the peer has rekeyed is not needed', () => {
    const { gateway, peer } = joined({ esp: { rekeyMs: 10 * MINUTE } });
    gateway.pass(5 * MINUTE);
    createChild(peer, { spi: 0x0a00_0002, rekeys: 0x0a00_0001 });
    peer.request(Exchange.INFORMATIONAL, [{ kind: 'D', protocol: Protocol.ESP, spis: [u32Bytes(0x0a00_0001)] }]);
    assert.ok(next(gateway, peer, 20 * MINUTE).after >= 9 * MINUTE);
  });

  it('of a child begins when its packets or sequence numbers run out', () => {
    const { gateway, peer } = joined();
    const sent = gateway.do({ type: 'report', report: { report: 'expiring', spiIn: gateway.session().children[0] ?? 0 } });
    assert.ok(notifies(peer.hear(sent)[0]).includes(Notify.REKEY_SA));
    assert.deepEqual(gateway.do({ type: 'report', report: { report: 'expiring', spiIn: 1_234 } }), []);
  });

  it('of the IKE SA begins by itself, and that of the new one in its time', () => {
    const { gateway, peer } = joined({ ike: { rekeyMs: 10 * MINUTE } });
    let current = peer;
    for (let times = 0; times < 3; times++) {
      const { after, heard } = next(gateway, current, 20 * MINUTE);
      assert.ok(after >= 9 * MINUTE && after <= 10 * MINUTE, `after ${after}`);
      assert.deepEqual(kinds(heard), ['SA', 'NONCE', 'KE']);
      const { payloads, next: successor } = ikeAnswer(current, heard);
      const [last] = current.answer(heard ?? current.header(0), payloads);
      current.answer(last ?? current.header(0), []);
      current = successor;
    }
    assert.equal(gateway.session().children.length, 1);
  });

  it('of an IKE SA that the peer has rekeyed is not needed', () => {
    const { gateway, peer } = joined({ ike: { rekeyMs: 10 * MINUTE } });
    gateway.pass(5 * MINUTE);
    const { next: successor } = rekeyIke(peer);
    peer.request(Exchange.INFORMATIONAL, [endIke]);
    assert.ok(next(gateway, successor ?? peer, 20 * MINUTE).after >= 9 * MINUTE);
  });

  it('waits its turn: one exchange at a time', () => {
    const { gateway, peer } = joined({
      esp: { rekeyMs: 10 * MINUTE },
      ike: { rekeyMs: 10 * MINUTE, retransmit: { firstMs: 20 * MINUTE, factor: 1, attempts: 5 } },
    });
    const { heard } = next(gateway, peer, 20 * MINUTE);
    assert.deepEqual(peer.hear(gateway.pass(5 * MINUTE)), [], 'both are due by now');
    const [second] = peer.answer(heard ?? peer.header(0), [notify(Notify.NO_ADDITIONAL_SAS)]);
    assert.deepEqual([heard, second].map((one) => notifies(one).includes(Notify.REKEY_SA)).sort(), [false, true]);
  });

  it('is never by itself where the lifetime is zero', () => {
    assert.deepEqual(joined().gateway.pass(23 * 60 * MINUTE), []);
  });
});

describe('re-authentication', () => {
  it('ends the SA with a DELETE when its time has come', () => {
    const { gateway, peer } = joined({ ike: { reauthenticationMs: 60 * MINUTE } });
    const { after, heard } = next(gateway, peer, 120 * MINUTE);
    assert.deepEqual([after, heard?.payloads], [60 * MINUTE, [endIke]]);
    peer.answer(heard ?? peer.header(0), []);
    assert.deepEqual([gateway.endings(), gateway.phases()], [['authentication too old'], []]);
  });

  it('is not put off by a rekey', () => {
    const { gateway, peer } = joined({ ike: { reauthenticationMs: 60 * MINUTE } });
    gateway.pass(30 * MINUTE);
    const { next: successor } = rekeyIke(peer);
    peer.request(Exchange.INFORMATIONAL, [endIke]);
    const { after, heard } = next(gateway, successor ?? peer, 120 * MINUTE);
    assert.deepEqual([after, heard?.payloads], [30 * MINUTE, [endIke]]);
  });
});
