/** EAP between a peer and a server, carried by us (RFC 3579 §2). */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import type { EapAnswer, EapQuestion } from '../../../sidecar/ike/eap.ts';
import { concat, hex, utf8 } from '../../../sidecar/ike/wire/bytes.ts';
import { eapAttributes, eapMessage, Type, valuesOf } from '../../../sidecar/radius/attribute.ts';
import { EapPassThrough } from '../../../sidecar/radius/eap-pass-through.ts';
import { type Attribute, Code, type Packet } from '../../../sidecar/radius/packet.ts';
import { ServerList } from '../../../sidecar/radius/server-list.ts';
import { settled } from '../../harness/fake-clock.ts';
import { RadiusWorld, SECRET } from './radius-world.ts';
import type { Reply, Script } from './scripted-server.ts';

const EAP_TLS = 13;
const eap = (code: number, identifier: number, ...data: readonly number[]) =>
  Uint8Array.of(code, identifier, (data.length + 4) >> 8, (data.length + 4) & 255, ...data);
const response = (identifier: number, ...data: readonly number[]) => eap(2, identifier, ...data);
const identityResponse = (identifier: number, name: string) => response(identifier, 1, ...utf8(name));
const attribute = (type: number, value: Uint8Array): Attribute => ({ type, value });
const challenge = (identifier: number, ...more: readonly Attribute[]): Reply => ({
  code: Code.ACCESS_CHALLENGE,
  attributes: [...eapAttributes(eap(1, identifier, EAP_TLS, 0x20)), ...more],
});
const accept = (...more: readonly Attribute[]): Reply => ({
  code: Code.ACCESS_ACCEPT,
  attributes: [...eapAttributes(eap(3, 8)), ...more],
});
const REJECT: Reply = { code: Code.ACCESS_REJECT, attributes: eapAttributes(eap(4, 8)) };

class Pair {
  readonly world = new RadiusWorld();
  readonly #speaker: EapPassThrough;
  readonly scripts = this.world.server('192.0.2.1', () => undefined);
  readonly second = this.world.server('192.0.2.2', () => undefined);

  constructor(mostConversations = 100) {
    this.#speaker = new EapPassThrough({ ports: this.world.ports, mostConversations });
    const servers = new ServerList([this.scripts.server, this.second.server]);
    this.#speaker.configure({ servers, nasIdentifier: 'vpn.example.com' });
  }

  get speaker(): EapPassThrough {
    return this.#speaker;
  }

  get requests(): readonly Packet[] {
    return this.scripts.scripted.requests;
  }

  says(script: Script): void {
    this.scripts.scripted.script = script;
  }

  ask(message: Uint8Array | undefined, conversation = 'c1'): Promise<EapAnswer> {
    const question: EapQuestion = {
      ...{ conversation, side: 'server', method: 'eap-radius', name: 'staff', message },
      ...{ claimed: { idType: 1, data: Uint8Array.of(10, 0, 0, 7) } },
      ...{ remote: '198.51.100.7:4500', local: '[2001:db8::1]:4500' },
    };
    return this.#speaker.answer(question);
  }

  /** Through the identity, answers what came of it. */
  async begin(name = 'alice@example.com', conversation = 'c1'): Promise<EapAnswer> {
    const asked = await this.ask(undefined, conversation);
    assert.ok(asked.is === 'packet');
    return this.ask(identityResponse(asked.message[1] ?? 0, name), conversation);
  }
}

const text = (value: Uint8Array | undefined) => Buffer.from(value ?? []).toString();
const first = (packet: Packet | undefined, type: number) => valuesOf(packet?.attributes ?? [], type)[0];

describe('EAP over RADIUS', () => {
  it('asks the peer for its EAP identity, and puts that and what is known of the peer into an Access-Request', async () => {
    const pair = new Pair();
    pair.says(() => challenge(7, attribute(Type.STATE, utf8('s1'))));
    const asked = await pair.ask(undefined);
    assert.ok(asked.is === 'packet');
    assert.deepEqual([...asked.message.subarray(2)], [0, 5, 1]);
    const answer = await pair.ask(identityResponse(asked.message[1] ?? 0, 'alice@example.com'));
    assert.deepEqual(answer, { is: 'packet', message: eap(1, 7, EAP_TLS, 0x20) });

    const [request] = pair.requests;
    assert.equal(request?.code, Code.ACCESS_REQUEST);
    assert.equal(text(first(request, Type.USER_NAME)), 'alice@example.com');
    assert.equal(text(first(request, Type.NAS_IDENTIFIER)), 'vpn.example.com');
    assert.equal(text(first(request, Type.NAS_PORT_ID)), 'staff');
    assert.equal(text(first(request, Type.CALLING_STATION_ID)), '198.51.100.7');
    assert.equal(text(first(request, Type.CALLED_STATION_ID)), '2001:db8::1');
    assert.equal(hex(first(request, Type.NAS_PORT_TYPE) ?? new Uint8Array()), '00000005');
    assert.equal(hex(first(request, Type.FRAMED_MTU) ?? new Uint8Array()), '0000044c');
    assert.equal(first(request, Type.STATE), undefined);
  });

  it('carries packets of any length whole, in attributes of 253 bytes at most', async () => {
    const pair = new Pair();
    const long = Array.from({ length: 600 }, (_, at) => at & 255);
    pair.says(() => ({ code: Code.ACCESS_CHALLENGE, attributes: eapAttributes(eap(1, 9, EAP_TLS, ...long)) }));
    const answer = await pair.begin();
    assert.deepEqual(answer, { is: 'packet', message: eap(1, 9, EAP_TLS, ...long) });
    pair.says(() => REJECT);
    await pair.ask(response(9, EAP_TLS, ...long));
    const [, request] = pair.requests;
    assert.deepEqual(
      valuesOf(request?.attributes ?? [], Type.EAP_MESSAGE).map(({ length }) => length),
      [253, 253, 99],
    );
    assert.deepEqual(eapMessage(request?.attributes ?? []), response(9, EAP_TLS, ...long));
  });

  it('repeats the State of each challenge and the User-Name in every request', async () => {
    const pair = new Pair();
    let n = 0;
    pair.says(() => challenge(++n, attribute(Type.STATE, utf8(`state ${n}`))));
    await pair.begin();
    await pair.ask(response(1, EAP_TLS, 0));
    await pair.ask(response(2, EAP_TLS, 0));
    assert.deepEqual(
      pair.requests.map((one) => text(first(one, Type.STATE))),
      ['', 'state 1', 'state 2'],
    );
    assert.ok(pair.requests.every((one) => text(first(one, Type.USER_NAME)) === 'alice@example.com'));
  });

  it('an Access-Accept succeeds with keys, method, name and grants', async () => {
    const pair = new Pair();
    pair.says(() => challenge(7));
    await pair.begin();
    const [receive, send] = [new Uint8Array(32).fill(0x11), new Uint8Array(32).fill(0x22)];
    pair.says(({ authenticator }) =>
      accept(
        ...[mppe(17, receive, authenticator), mppe(16, send, authenticator), attribute(Type.USER_NAME, utf8('alice'))],
        ...[attribute(Type.CLASS, utf8('gold')), attribute(Type.CLASS, Uint8Array.of(0, 255))],
        ...[
          attribute(Type.SESSION_TIMEOUT, Uint8Array.of(0, 0, 14, 16)),
          attribute(Type.FRAMED_IP_ADDRESS, Uint8Array.of(10, 8, 0, 9)),
        ],
        ...[
          attribute(Type.FRAMED_IPV6_PREFIX, Uint8Array.of(0, 128, ...IPV6)),
          attribute(Type.FRAMED_IPV6_PREFIX, Uint8Array.of(0, 64, ...IPV6)),
        ],
        attribute(Type.ACCT_INTERIM_INTERVAL, Uint8Array.of(0, 0, 0, 5)),
      ),
    );
    assert.deepEqual(await pair.ask(response(7, EAP_TLS, 0)), {
      ...{ is: 'success', message: eap(3, 8), type: EAP_TLS, mutual: true, certificate: undefined },
      ...{ msk: concat(receive, send), identity: 'alice' },
      granted: {
        addresses: [Uint8Array.of(10, 8, 0, 9), Uint8Array.from(IPV6)],
        sessionTimeoutMs: 3_600_000,
        class: concat(Uint8Array.of(25, 6), utf8('gold'), Uint8Array.of(25, 4, 0, 255)),
        interimMs: 60_000,
      },
    });
    assert.equal(pair.speaker.conversations, 0);
  });

  it('keys of 16 bytes, as EAP-MSCHAPv2 has them, stand side by side before zeros', async () => {
    const pair = new Pair();
    const [receive, send] = [new Uint8Array(16).fill(0x11), new Uint8Array(16).fill(0x22)];
    pair.says(({ authenticator }) => accept(mppe(17, receive, authenticator), mppe(16, send, authenticator)));
    const answer = await pair.begin();
    assert.ok(answer.is === 'success');
    assert.deepEqual(answer.msk, concat(receive, send, new Uint8Array(32)));
    assert.equal(answer.identity, 'alice@example.com');
  });

  it('a broken or missing key is no key, and addresses that mean "of your pool" are none', async () => {
    const pair = new Pair();
    const key = new Uint8Array(32).fill(0x11);
    pair.says(({ authenticator }) => {
      const sealed = mppe(17, key, authenticator).value.slice();
      sealed[6] = 0; // RFC 2548 §2.4.2: a salt begins with a set bit
      const fromPool = [Uint8Array.of(255, 255, 255, 254), Uint8Array.of(255, 255, 255, 255)];
      return accept(
        attribute(Type.VENDOR_SPECIFIC, sealed),
        mppe(16, key, authenticator),
        ...fromPool.map((value) => attribute(Type.FRAMED_IP_ADDRESS, value)),
      );
    });
    const answer = await pair.begin();
    assert.ok(answer.is === 'success');
    assert.deepEqual([answer.msk, answer.granted.addresses], [undefined, []]);
  });

  it('an Access-Reject fails with the packet of the server', async () => {
    const pair = new Pair();
    pair.says(() => REJECT);
    const answer = await pair.begin();
    assert.deepEqual(answer, { is: 'failure', message: eap(4, 8), why: 'refused by the RADIUS server' });
    assert.equal(pair.speaker.conversations, 0);
  });

  it('what contradicts the RADIUS code is not passed on: the code decides, and no EAP packet is made up', async () => {
    const contradictions: readonly Reply[] = [
      { code: Code.ACCESS_ACCEPT, attributes: eapAttributes(eap(4, 8)) },
      { code: Code.ACCESS_ACCEPT, attributes: [] },
      { code: Code.ACCESS_REJECT, attributes: eapAttributes(eap(3, 8)) },
      { code: Code.ACCESS_CHALLENGE, attributes: eapAttributes(eap(3, 8)) },
      { code: Code.ACCESS_CHALLENGE, attributes: [] },
      { code: Code.ACCESS_CHALLENGE, attributes: eapAttributes(Uint8Array.of(1, 2, 0, 99, 13)) },
    ];
    for (const reply of contradictions) {
      const pair = new Pair();
      pair.says(() => reply);
      const answer = await pair.begin();
      assert.deepEqual([answer.is, answer.message], ['failure', undefined]);
    }
  });

  it('a peer that answers another request, no request, or names nobody fails, and no server hears of it', async () => {
    const wrong = [
      (id: number) => identityResponse((id + 1) & 255, 'alice'),
      (id: number) => eap(1, id, 1, 65),
      (id: number) => response(id, 3, 4),
      (id: number) => response(id, 1),
      (id: number) => response(id, 1, 0xff, 0xfe),
      (id: number) => response(id, 1, ...new Uint8Array(254).fill(65)),
      () => Uint8Array.of(2),
      () => new Uint8Array(),
    ];
    for (const make of wrong) {
      const pair = new Pair();
      const asked = await pair.ask(undefined);
      assert.ok(asked.is === 'packet');
      assert.equal((await pair.ask(make(asked.message[1] ?? 0))).is, 'failure');
      assert.equal(pair.requests.length, 0);
      assert.equal(pair.speaker.conversations, 0);
    }
    assert.equal((await new Pair().ask(identityResponse(1, 'alice'))).is, 'failure');
  });

  it('a conversation stays with the server that challenged it, also when that falls silent', async () => {
    const pair = new Pair();
    pair.second.scripted.script = () => challenge(7);
    const begun = pair.begin();
    await pair.world.clock.advance(8_000);
    assert.equal((await begun).is, 'packet');
    pair.says(() => challenge(9));
    pair.second.scripted.script = () => undefined;
    const before = pair.requests.length;
    const lost = pair.ask(response(7, EAP_TLS, 0));
    await pair.world.clock.advance(8_000);
    assert.deepEqual(await lost, { is: 'failure', message: undefined, why: 'no RADIUS server answers' });
    assert.equal(pair.requests.slice(before).filter(({ code }) => code === Code.ACCESS_REQUEST).length, 0);
  });

  it('a conversation that is given up while a server thinks is answered with failure, and its late answer counts for nothing', async () => {
    const pair = new Pair();
    const begun = pair.begin();
    await settled();
    pair.speaker.forget('c1');
    assert.deepEqual(await begun, { is: 'failure', message: undefined, why: 'given up' });
    assert.equal(pair.speaker.conversations, 0);
  });

  it('the oldest conversation makes room for the newest', async () => {
    const pair = new Pair(3);
    pair.says(() => challenge(7));
    for (const name of ['a', 'b', 'c', 'd']) await pair.begin('x', name);
    assert.equal(pair.speaker.conversations, 3);
    assert.equal((await pair.ask(response(7, EAP_TLS), 'a')).is, 'failure');
    assert.equal((await pair.ask(response(7, EAP_TLS), 'b')).is, 'packet');
  });

  it('without servers nobody is admitted', async () => {
    const pair = new Pair();
    pair.speaker.configure(undefined);
    assert.equal((await pair.ask(undefined)).is, 'failure');
  });
});

const IPV6 = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];

/** RFC 2548 §2.4.2, as a server does it. */
function mppe(type: number, key: Uint8Array, requestAuthenticator: Uint8Array): Attribute {
  const salt = Uint8Array.of(0x80 | type, type);
  const plain = new Uint8Array(Math.ceil((key.length + 1) / 16) * 16);
  plain.set([key.length, ...key]);
  let before = concat(requestAuthenticator, salt);
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < plain.length; at += 16) {
    const mask = createHash('md5').update(SECRET).update(before).digest();
    before = plain.slice(at, at + 16).map((byte, i) => byte ^ (mask[i] ?? 0));
    blocks.push(before);
  }
  const sealed = concat(salt, ...blocks);
  return attribute(Type.VENDOR_SPECIFIC, concat(Uint8Array.of(0, 0, 1, 55, type, sealed.length + 2), sealed));
}
