/** EAP-MSCHAPv2: the vectors of its RFCs, our server against our peer, and both against whoever lies. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ntHash } from '../../../sidecar/contract/nt-hash.ts';
import { Secret } from '../../../sidecar/contract/secret.ts';
import type { ServerStep } from '../../../sidecar/eap/method.ts';
import { authenticatorResponse, masterSessionKey, ntResponse } from '../../../sidecar/eap/mschapv2-keys.ts';
import { decodeServerPacket, encodePeerPacket, Op } from '../../../sidecar/eap/mschapv2-packet.ts';
import { mschapv2Peer } from '../../../sidecar/eap/mschapv2-peer.ts';
import { mschapv2Server } from '../../../sidecar/eap/mschapv2-server.ts';
import { ProtocolError } from '../../../sidecar/ike/error.ts';
import { concat, equalBytes, hex, text, unhex, utf8 } from '../../../sidecar/ike/wire/bytes.ts';
import { seeded } from '../../harness/random.ts';

/** RFC 2759 §9.2. */
const VECTOR = {
  authenticatorChallenge: unhex('5b5d7c7d7b3f2f3e3c2c602132262628'),
  peerChallenge: unhex('21402324255e262a28295f2b3a337c7e'),
  userName: utf8('User'),
};
const HASH = ntHash('clientPass');

const users = (passwords: Readonly<Record<string, string>>) => ({
  ntHash: (name: string): Secret | undefined =>
    Object.hasOwn(passwords, name) ? new Secret(ntHash(passwords[name] ?? '')) : undefined,
});
const server = (passwords: Readonly<Record<string, string>> = { alice: 'clientPass' }) =>
  mschapv2Server({ name: 'gw.example', users: users(passwords), random: seeded(1) });
const peer = (name = 'alice', password = 'clientPass') => mschapv2Peer({ name, ntHash: ntHash(password), random: seeded(2) });

const requested = (step: ServerStep | Promise<ServerStep>): Uint8Array => {
  assert.ok('is' in step && step.is === 'request');
  return step.data;
};

describe('the arithmetic of MSCHAPv2', () => {
  it('gives the responses of RFC 2759 §9.2, with or without a domain before the name', () => {
    for (const userName of [VECTOR.userName, utf8('BIGCO\\User')]) {
      const exchange = { ...VECTOR, userName };
      const response = ntResponse(HASH, exchange);
      assert.equal(hex(response), '82309ecd8d708b5ea08faa3981cd83544233114a3d85d6df');
      assert.equal(hex(authenticatorResponse(HASH, response, exchange)), '407a5589115fd0d6209f510fe9c04566932cda56');
    }
  });

  it('gives the start key of the server in RFC 3079 §3.5.3', () => {
    const msk = masterSessionKey(HASH, ntResponse(HASH, VECTOR));
    assert.equal(msk.length, 64);
    assert.equal(hex(msk.subarray(16, 32)), '8b7cdc149b993a1ba118cb153f56dccb');
    assert.ok(equalBytes(msk.subarray(32), new Uint8Array(32)));
  });
});

describe('EAP-MSCHAPv2', () => {
  const converse = (one: ReturnType<typeof server>, other: ReturnType<typeof peer>) => {
    let toServer: Uint8Array | undefined;
    for (let identifier = 1; ; identifier++) {
      const asked = one.next(toServer, identifier);
      assert.ok('is' in asked);
      if (asked.is !== 'request') return { server: asked, peer: undefined };
      const said = other.next(asked.data);
      assert.ok('is' in said);
      if (said.is === 'failure') return { server: asked, peer: said };
      if (said.outcome) return { server: one.next(said.data, identifier + 1), peer: said };
      toServer = said.data;
    }
  };

  it('ends with the same key on both sides, and the name of the user as the file has it', () => {
    for (const name of ['alice', 'BIGCO\\alice', 'a\\b\\alice']) {
      const done = converse(server(), peer(name));
      assert.ok('is' in done.server && done.server.is === 'success');
      assert.equal(done.server.outcome.identity, 'alice');
      assert.equal(done.server.outcome.mutual, false);
      assert.ok(done.peer?.is === 'response' && done.peer.outcome?.msk && done.server.outcome.msk);
      assert.equal(hex(done.server.outcome.msk), hex(done.peer.outcome.msk));
    }
  });

  it('prefers a user who is written with the domain', () => {
    const passwords = { alice: 'another', 'BIGCO\\alice': 'clientPass' };
    const done = converse(server(passwords), peer('BIGCO\\alice'));
    assert.ok('is' in done.server && done.server.is === 'success');
    assert.equal(done.server.outcome.identity, 'BIGCO\\alice');
  });

  it('tells a wrong password and an unknown user the same: 691, and no other try', () => {
    const refusals = [peer('alice', 'wrong'), peer('mallory'), peer('', ''), peer('__proto__', '')].map((impostor) => {
      const one = server();
      const response = impostor.next(requested(one.next(undefined, 1)));
      assert.ok('is' in response && response.is === 'response');
      const refusal = requested(one.next(response.data, 2));
      assert.deepEqual(impostor.next(refusal), { is: 'failure', why: 'wrong user or password' });
      assert.deepEqual(one.next(encodePeerPacket({ op: Op.FAILURE }), 3), { is: 'failure', why: 'wrong user or password' });
      return text(refusal.subarray(4));
    });
    assert.equal(new Set(refusals).size, 1);
    assert.match(refusals[0] ?? '', /^E=691 R=0 C=[0-9A-F]{32} V=3 M=/);
  });

  it('knows nobody with the hash that stands in for users who are unknown', () => {
    const one = server();
    const impostor = mschapv2Peer({ name: 'mallory', ntHash: new Uint8Array(16), random: seeded(2) });
    const response = impostor.next(requested(one.next(undefined, 1)));
    assert.ok('is' in response && response.is === 'response');
    assert.equal(decodeServerPacket(requested(one.next(response.data, 2))).op, Op.FAILURE);
  });

  it('lets nobody try twice', () => {
    const one = server();
    const challenge = requested(one.next(undefined, 1));
    const wrong = peer('alice', 'wrong').next(challenge);
    const right = peer().next(challenge);
    assert.ok('is' in wrong && wrong.is === 'response' && 'is' in right && right.is === 'response');
    requested(one.next(wrong.data, 2));
    assert.deepEqual(one.next(right.data, 3), { is: 'failure', why: 'wrong user or password' });
  });

  it('succeeds only after the peer has acknowledged our proof, and not before the response', () => {
    const [one, two] = [server(), server()];
    one.next(undefined, 1);
    assert.deepEqual(one.next(encodePeerPacket({ op: Op.SUCCESS }), 2), {
      is: 'failure',
      why: 'a message of MSCHAPv2 out of turn',
    });
    const said = peer().next(requested(two.next(undefined, 1)));
    assert.ok('is' in said && said.is === 'response');
    requested(two.next(said.data, 2));
    assert.deepEqual(two.next(encodePeerPacket({ op: Op.FAILURE }), 3), {
      is: 'failure',
      why: 'a message of MSCHAPv2 out of turn',
    });
  });

  it('makes the peer refuse a server that does not know the password', () => {
    const impostor = server({ alice: 'guessed' });
    const one = peer();
    one.next(requested(impostor.next(undefined, 1)));
    const proof = concat(Uint8Array.of(3, 1, 0, 46), utf8(`S=${'0'.repeat(40)}`));
    assert.deepEqual(one.next(proof), { is: 'failure', why: 'the server does not know the password' });
  });

  it('makes the peer refuse a success before its response, and a second challenge', () => {
    const proof = concat(Uint8Array.of(3, 1, 0, 46), utf8(`S=${'0'.repeat(40)}`));
    assert.throws(() => peer().next(proof), ProtocolError);
    const one = peer();
    const challenge = requested(server().next(undefined, 1));
    one.next(challenge);
    assert.throws(() => one.next(challenge), ProtocolError);
  });

  it('refuses packets of wrong lengths on both sides, each of them as malformed', () => {
    const challenge = requested(server().next(undefined, 1));
    const response = peer().next(challenge);
    assert.ok('is' in response && response.is === 'response');
    for (let length = 0; length < 60; length++) {
      const one = server();
      one.next(undefined, 1);
      if (length < response.data.length) assert.throws(() => one.next(response.data.subarray(0, length), 2), ProtocolError);
      if (length < challenge.length) assert.throws(() => peer().next(challenge.subarray(0, length)), ProtocolError);
    }
    const other = server();
    other.next(undefined, 7);
    assert.throws(() => other.next(response.data, 2), /another id/);
  });
});
