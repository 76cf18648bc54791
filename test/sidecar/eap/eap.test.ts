/** Conversations of EAP (RFC 3748): our server and our peer, each method, each way to fail, and packets that nobody should send. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeEap, EapType, encodeEap } from '../../../sidecar/eap/packet.ts';
import { ProtocolError } from '../../../sidecar/ike/error.ts';
import type { Identity } from '../../../sidecar/ike/sa.ts';
import { type Bytes, EMPTY, hex, unhex, utf8 } from '../../../sidecar/ike/wire/bytes.ts';
import { eapPeer, eapServer, mail, password, question, talk } from './conversations.ts';

const ADDRESS = { idType: 1, data: Uint8Array.of(192, 0, 2, 7) };
const mschapv2 = { method: 'eap-mschapv2' } as const;

const typed = (packet: Bytes) => {
  const decoded = decodeEap(packet);
  assert.ok('type' in decoded);
  return decoded;
};

describe('EAP packets', () => {
  it('are read as they were written', () => {
    const packets = fc.oneof(
      fc.record({
        code: fc.constantFrom(1 as const, 2 as const),
        identifier: fc.nat(255),
        type: fc.nat(255),
        data: fc.uint8Array({ maxLength: 40 }),
      }),
      fc.record({ code: fc.constantFrom(3 as const, 4 as const), identifier: fc.nat(255) }),
    );
    fc.assert(fc.property(packets, (packet) => assert.deepEqual(decodeEap(encodeEap(packet)), { ...packet })));
  });

  it('are refused with trailing bytes, a wrong length, another code, or no type', () => {
    for (const bytes of ['', '0101', '0101000501ff', '01010006ff', '01010004', '05010004', '0301000500', '03010005'])
      assert.throws(() => decodeEap(unhex(bytes)), ProtocolError, bytes);
  });
});

describe('the EAP server', () => {
  it('agrees with our peer on a key by MSCHAPv2, and forgets the conversation', async () => {
    const [server, peer] = [eapServer(), eapPeer(password())];
    const done = await talk(server, peer, mschapv2);
    assert.ok(done.server.is === 'success' && done.peer.is === 'success');
    assert.equal(done.server.identity, 'alice');
    assert.ok(done.server.msk && done.peer.msk);
    assert.equal(hex(done.server.msk), hex(done.peer.msk));
    assert.equal(decodeEap(done.server.message).code, 3);
    assert.equal(decodeEap(done.server.message).identifier, typed(done.packets.at(-2) ?? EMPTY).identifier);
    assert.equal(server.size + peer.size, 0);
  });

  it('asks for an identity only where IDi names no user (RFC 7296 §3.16)', async () => {
    const first = async (claimed: Identity): Promise<number> => {
      const { packets } = await talk(eapServer(), eapPeer(password()), { ...mschapv2, claimed });
      return typed(packets[0] ?? EMPTY).type;
    };
    assert.equal(await first(mail('alice@example.com')), EapType.MSCHAPV2);
    assert.equal(await first({ idType: 2, data: utf8('laptop.example') }), EapType.IDENTITY);
    assert.equal(await first(ADDRESS), EapType.IDENTITY);
    assert.equal(await first({ idType: 11, data: Uint8Array.of(1) }), EapType.IDENTITY);
    const done = await talk(eapServer(), eapPeer(password()), { ...mschapv2, claimed: ADDRESS });
    assert.equal(done.server.is, 'success');
  });

  it('ends a wrong password with EAP-Failure', async () => {
    const server = eapServer();
    const done = await talk(server, eapPeer(password('wrong')), mschapv2);
    // Our peer goes when it hears of it; others acknowledge.
    assert.deepEqual(done.peer, { is: 'failure', message: undefined, why: 'wrong user or password' });
    const last = typed(done.packets.at(-1) ?? EMPTY);
    const message = encodeEap({ code: 2, identifier: last.identifier, type: EapType.MSCHAPV2, data: Uint8Array.of(4) });
    const end = await server.answer(question('server', { ...mschapv2, message }));
    assert.ok(end.is === 'failure' && end.message);
    assert.deepEqual(decodeEap(end.message), { code: 4, identifier: last.identifier });
    assert.equal(server.size, 0);
  });

  it('falls back to nothing when the peer wants another method', async () => {
    const server = eapServer();
    const first = await server.answer(question('server', mschapv2));
    assert.ok(first.is === 'packet');
    const nak = encodeEap({
      code: 2,
      identifier: typed(first.message).identifier,
      type: EapType.NAK,
      data: Uint8Array.of(13, 25),
    });
    const end = await server.answer(question('server', { ...mschapv2, message: nak }));
    assert.ok(end.is === 'failure' && end.message);
    assert.equal(end.why, 'the peer wants EAP of type 13, 25');
    assert.equal(decodeEap(end.message).code, 4);
  });

  it('repeats its request to whatever is no response to it, and goes on', async () => {
    const server = eapServer();
    const first = await server.answer(question('server', mschapv2));
    assert.ok(first.is === 'packet');
    const late = [
      encodeEap({ code: 2, identifier: 99, type: EapType.MSCHAPV2, data: EMPTY }),
      encodeEap({ code: 1, identifier: 1, type: 1, data: EMPTY }),
      encodeEap({ code: 3, identifier: 1 }),
    ];
    for (const message of late) assert.deepEqual(await server.answer(question('server', { ...mschapv2, message })), first);
    const said = await eapPeer(password()).answer(question('peer', { message: first.message }));
    const next = await server.answer(question('server', { ...mschapv2, message: said.message }));
    assert.equal(next.is, 'packet');
  });

  it('ends with a failure what is malformed or of another type', async () => {
    for (const bytes of ['0201', '02010005ff', '020100060d00', '020100061a09']) {
      const server = eapServer();
      await server.answer(question('server', mschapv2));
      const end = await server.answer(question('server', { ...mschapv2, message: unhex(bytes) }));
      assert.ok(end.is === 'failure' && end.message, bytes);
      assert.equal(decodeEap(end.message).code, 4);
      assert.equal(server.size, 0);
    }
  });

  it('knows no conversation that it has forgotten, or never began', async () => {
    const server = eapServer();
    const first = await server.answer(question('server', mschapv2));
    assert.equal(server.size, 1);
    server.forget(question('server').conversation);
    server.forget('another');
    assert.equal(server.size, 0);
    const end = await server.answer(question('server', { ...mschapv2, message: first.message }));
    assert.deepEqual(end, { is: 'failure', message: undefined, why: 'no such conversation' });
  });

  it('keeps no more conversations than it may: a new one takes the place of the oldest, so that those who leave theirs keep nobody out', async () => {
    const server = eapServer({}, { maxConversations: 2 });
    const begin = (conversation: string) => server.answer(question('server', { ...mschapv2, conversation }));
    assert.equal((await begin('1')).is, 'packet');
    assert.equal((await begin('2')).is, 'packet');
    assert.equal((await begin('2')).is, 'packet', 'one that begins again takes its own place');
    assert.equal(server.size, 2);
    assert.equal((await begin('3')).is, 'packet');
    assert.equal(server.size, 2);
    const went = await server.answer(
      question('server', { ...mschapv2, conversation: '1', message: Uint8Array.of(2, 1, 0, 5, 3) }),
    );
    assert.deepEqual(went, { is: 'failure', message: undefined, why: 'no such conversation' });
  });

  it('gives RADIUS what is for RADIUS', async () => {
    const asked: string[] = [];
    const radius = {
      answer: async () => ({ is: 'failure', message: undefined, why: 'RADIUS says no' }) as const,
      forget: (conversation: string) => void asked.push(conversation),
    };
    const server = eapServer({}, { radius });
    assert.equal((await server.answer(question('server', { method: 'eap-radius' }))).is, 'failure');
    server.forget('7');
    assert.deepEqual(asked, ['7']);
    const none = await eapServer().answer(question('server', { method: 'eap-radius' }));
    assert.deepEqual(none, { is: 'failure', message: undefined, why: 'no RADIUS server is configured' });
  });

  it('answers an exception with a failure, and says so', async () => {
    const failures: unknown[] = [];
    const users = {
      ntHash: () => {
        throw new Error('a bug');
      },
    };
    const server = eapServer({ users }, { failed: (error) => void failures.push(error) });
    const first = await server.answer(question('server', mschapv2));
    const said = await eapPeer(password()).answer(question('peer', { message: first.message }));
    const end = await server.answer(question('server', { ...mschapv2, message: said.message }));
    assert.deepEqual(end, { is: 'failure', message: undefined, why: 'internal error' });
    assert.equal(failures.length, 1);
    assert.equal(server.size, 0);
  });
});

describe('the EAP peer', () => {
  const ask = (type: number, data: Bytes = EMPTY, identifier = 5): Bytes => encodeEap({ code: 1, identifier, type, data });
  const said = async (peer: ReturnType<typeof eapPeer>, message: Bytes) => {
    const answer = await peer.answer(question('peer', { message }));
    assert.ok(answer.is === 'packet');
    return typed(answer.message);
  };

  it('says who it is, acknowledges what it is told, and names its method when offered another', async () => {
    const peer = eapPeer(password());
    assert.deepEqual(await said(peer, ask(EapType.IDENTITY)), { code: 2, identifier: 5, type: 1, data: utf8('alice') });
    assert.deepEqual(await said(peer, ask(EapType.NOTIFICATION, utf8('hello'), 6)), {
      code: 2,
      identifier: 6,
      type: 2,
      data: EMPTY,
    });
    for (const type of [EapType.TLS, 4, 254, 255])
      assert.deepEqual(await said(peer, ask(type, EMPTY, type)), {
        code: 2,
        identifier: type,
        type: EapType.NAK,
        data: Uint8Array.of(26),
      });
  });

  it('answers a request that comes again as before', async () => {
    const [server, peer] = [eapServer(), eapPeer(password())];
    const first = await server.answer(question('server', mschapv2));
    const answers = await Promise.all([1, 2].map(() => peer.answer(question('peer', { message: first.message }))));
    const again = await peer.answer(question('peer', { message: first.message }));
    assert.equal(answers.length, 2);
    assert.deepEqual(await peer.answer(question('peer', { message: first.message })), again);
    const next = await server.answer(question('server', { ...mschapv2, message: again.message }));
    assert.equal(next.is, 'packet');
  });

  it('takes no success that the method has not come to', async () => {
    const peer = eapPeer(password());
    await said(peer, ask(EapType.IDENTITY));
    const end = await peer.answer(question('peer', { message: encodeEap({ code: 3, identifier: 5 }) }));
    assert.deepEqual(end, { is: 'failure', message: undefined, why: 'EAP-Success before the server was proven' });
    assert.equal(peer.size, 0);
  });

  it('changes no method in the midst', async () => {
    const [server, peer] = [eapServer(), eapPeer(password())];
    const first = await server.answer(question('server', mschapv2));
    await peer.answer(question('peer', { message: first.message }));
    const end = await peer.answer(question('peer', { message: ask(EapType.TLS, EMPTY, 9) }));
    assert.equal(end.is, 'failure');
  });

  it('ends when the server fails, or says what only a peer says', async () => {
    for (const message of [
      encodeEap({ code: 4, identifier: 1 }),
      encodeEap({ code: 2, identifier: 1, type: 1, data: EMPTY }),
      EMPTY,
    ]) {
      const end = await eapPeer(password()).answer(question('peer', { message }));
      assert.equal(end.is, 'failure');
    }
  });
});

describe('both', () => {
  it('answer any bytes, and never throw', async () => {
    const packets = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc
        .record({
          code: fc.constantFrom(1 as const, 2 as const),
          identifier: fc.nat(4),
          type: fc.constantFrom(1, 2, 3, 13, 26),
          data: fc.uint8Array({ maxLength: 70 }),
        })
        .map(encodeEap),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(packets, { maxLength: 6 }), async (messages) => {
        const [server, peer] = [eapServer(), eapPeer(password())];
        await server.answer(question('server', mschapv2));
        for (const message of messages) {
          await server.answer(question('server', { ...mschapv2, message }));
          await peer.answer(question('peer', { message }));
        }
        server.forget(question('server').conversation);
        peer.forget(question('peer').conversation);
        assert.equal(server.size + peer.size, 0);
      }),
      { numRuns: 200 },
    );
  });
});
