/** EAP-TLS (RFC 5216, RFC 9190): our server and our peer over both versions, and everything that must end in a failure. */
import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import { connect, createSecureContext, TLSSocket } from 'node:tls';
import fc from 'fast-check';
import { decodeEap, EapType, encodeEap } from '../../../sidecar/eap/packet.ts';
import { FRAGMENT_BYTES, MAX_MESSAGE_BYTES, TlsTransport } from '../../../sidecar/eap/tls-transport.ts';
import { ProtocolError } from '../../../sidecar/ike/error.ts';
import { type Bytes, concat, EMPTY, equalBytes, hex, u32Bytes } from '../../../sidecar/ike/wire/bytes.ts';
import { certificate, eapPeer, eapServer, mail, NOW, password, question, talk, tls, trusting } from './conversations.ts';

const eapTls = { method: 'eap-tls' } as const;
const chain = Array.from({ length: 9 }, () => certificate.chain[0] ?? EMPTY);

const typed = (packet: Bytes) => {
  const decoded = decodeEap(packet);
  assert.ok('type' in decoded);
  return decoded;
};

describe('EAP-TLS', () => {
  it('agrees on a key, says who the certificate names and what revokes it', async () => {
    const [trust, gateways] = [trusting(), trusting()];
    const [server, peer] = [eapServer({ trust, authorities: (rule) => [`ca of ${rule}`] }), eapPeer(tls(gateways))];
    const done = await talk(server, peer, eapTls);
    assert.ok(done.server.is === 'success' && done.peer.is === 'success', JSON.stringify(done));
    assert.ok(done.server.msk?.length === 64 && done.peer.msk && equalBytes(done.server.msk, done.peer.msk));
    assert.deepEqual([done.server.mutual, done.server.type, done.server.identity], [true, 13, 'alice@example.com']);
    assert.deepEqual(done.server.certificate?.fingerprint, new Uint8Array(32).fill(7));
    assert.equal(server.size + peer.size, 0);
    assert.equal(trust.asked.length, 1, 'the server asks once');
    assert.deepEqual(trust.asked[0]?.demand, { now: NOW, identity: undefined, usage: 'client', authorities: ['ca of staff'] });
    assert.deepEqual(trust.asked[0]?.presented.certificates, certificate.chain);
    assert.deepEqual(gateways.asked[0]?.demand, {
      ...{ now: NOW, identity: mail('gw@example.com'), usage: 'server', authorities: ['gateways'] },
    });
  });

  it('names the peer by what was claimed when it is in the certificate, else by mail, domain, subject', async () => {
    const name = async (identities: readonly ReturnType<typeof mail>[], claimed = mail('bob@example.com')): Promise<string> => {
      const done = await talk(eapServer({ trust: trusting({ trusted: true, identities }) }), eapPeer(tls()), {
        ...eapTls,
        claimed,
      });
      assert.ok(done.server.is === 'success');
      return done.server.identity;
    };
    const domain = { idType: 2, data: new TextEncoder().encode('laptop.example') };
    assert.equal(await name([domain, mail('alice@example.com'), mail('bob@example.com')]), 'bob@example.com');
    assert.equal(await name([domain, mail('alice@example.com')]), 'alice@example.com');
    assert.equal(await name([domain]), 'laptop.example');
    assert.equal(await name([]), 'CN=localhost');
  });

  it('sends and takes long chains in fragments that fit', async () => {
    const long = { ...certificate, chain };
    const done = await talk(
      eapServer({ certificate: long }),
      eapPeer({ ...tls(), certificate: long } as ReturnType<typeof tls>),
      eapTls,
    );
    assert.ok(done.server.is === 'success' && done.peer.is === 'success', JSON.stringify(done));
    const sizes = done.packets.map((packet) => packet.length);
    assert.ok(Math.max(...sizes) <= FRAGMENT_BYTES + 10 && Math.max(...sizes) > FRAGMENT_BYTES);
    assert.ok(done.packets.length > 16, 'several fragments each way');
    for (const packet of done.packets.slice(0, -1)) assert.equal(typed(packet).type, EapType.TLS);
  });

  it('tells nothing and ends when the certificate of the peer is not trusted', async () => {
    const trust = trusting({ trusted: false, reason: 'revoked', detail: 'CN=localhost' });
    const done = await talk(eapServer({ trust }), eapPeer(tls()), eapTls);
    assert.ok(done.server.is === 'failure');
    assert.equal(done.server.why, "the peer's certificate: revoked");
    assert.deepEqual(done.peer, { is: 'failure', message: undefined, why: 'the server sent EAP-Failure' });
  });

  it('makes the peer go when the certificate of the server is not trusted, before it shows its own', async () => {
    const trust = trusting();
    const distrust = trusting({ trusted: false, reason: 'unknown-authority', detail: '' });
    const done = await talk(eapServer({ trust }), eapPeer(tls(distrust)), eapTls);
    assert.deepEqual(done.peer, { is: 'failure', message: undefined, why: "the server's certificate: unknown-authority" });
    assert.equal(trust.asked.length, 0);
  });

  it('is not offered without a certificate of the gateway', async () => {
    const end = await eapServer({ certificate: undefined }).answer(question('server', eapTls));
    assert.deepEqual(end, { is: 'failure', message: undefined, why: 'EAP-TLS without a certificate of the gateway' });
  });

  it('ends in a Nak for a peer that does MSCHAPv2', async () => {
    const done = await talk(eapServer(), eapPeer(password()), eapTls);
    assert.ok(done.server.is === 'failure');
    assert.equal(done.server.why, 'the peer wants EAP of type 26');
  });

  it('is not fooled by a success before the end', async () => {
    const peer = eapPeer(tls());
    const server = eapServer();
    const start = await server.answer(question('server', eapTls));
    const hello = await peer.answer(question('peer', { message: start.message }));
    assert.equal(hello.is, 'packet');
    const end = await peer.answer(question('peer', { message: encodeEap({ code: 3, identifier: 1 }) }));
    assert.equal(end.is, 'failure');
  });

  it('is no success for the peer without the byte of zero that protects it (RFC 9190 §2.5)', async () => {
    const honest = await talk(eapServer(), eapPeer(tls()), eapTls);
    const last = honest.packets.length - 3;
    const emptied = (packet: Bytes): Bytes => encodeEap({ ...typed(packet), data: Uint8Array.of(0) });
    const done = await talk(eapServer(), eapPeer(tls()), eapTls, (packet, at) => (at === last ? emptied(packet) : packet));
    assert.deepEqual(done.peer, { is: 'failure', message: undefined, why: 'no protected success indication' });
  });

  it('ends when any bit of a flight is turned', async () => {
    const honest = await talk(eapServer(), eapPeer(tls()), eapTls);
    assert.equal(honest.server.is, 'success');
    for (let index = 1; index < honest.packets.length - 2; index++) {
      if ((honest.packets[index]?.length ?? 0) < 60) continue;
      const done = await talk(eapServer(), eapPeer(tls()), eapTls, (packet, at) => (at === index ? turned(packet) : packet));
      assert.notEqual(done.server.is, 'success', `packet ${index}`);
      assert.notEqual(done.peer.is, 'success', `packet ${index}`);
    }
  });

  it('tells a peer by an alert what it does not like, and fails after the answer', async () => {
    const server = eapServer();
    const start = await server.answer(question('server', eapTls));
    assert.ok(start.message);
    const old = hello({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' });
    const answer = (identifier: number, data: Bytes) =>
      server.answer(
        question('server', {
          ...eapTls,
          message: encodeEap({ code: 2, identifier, type: EapType.TLS, data: concat(Uint8Array.of(0), data) }),
        }),
      );
    const alert = await answer(1, await old);
    assert.ok(alert.is === 'packet');
    const { data } = typed(alert.message);
    // RFC 5246 §7.2: content type 21, fatal (2), protocol_version (70).
    assert.deepEqual([data[1], data[6], data[7]], [21, 2, 70]);
    const end = await answer(2, EMPTY);
    assert.ok(end.is === 'failure' && end.message);
    assert.match(end.why, /^TLS: ERR_SSL_/);
    assert.equal(decodeEap(end.message).code, 4);
  });

  it('refuses garbage and a flight without an end', async () => {
    for (const data of [EMPTY, Uint8Array.of(0), Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7), Uint8Array.of(0, 22, 3, 1, 0, 80, 1)]) {
      const server = eapServer();
      await server.answer(question('server', eapTls));
      let end = await server.answer(
        question('server', { ...eapTls, message: encodeEap({ code: 2, identifier: 1, type: EapType.TLS, data }) }),
      );
      if (end.is === 'packet')
        end = await server.answer(
          question('server', {
            ...eapTls,
            message: encodeEap({ code: 2, identifier: 2, type: EapType.TLS, data: Uint8Array.of(0) }),
          }),
        );
      assert.equal(end.is, 'failure', hex(data));
      assert.equal(server.size, 0);
    }
  });
});

describe('EAP-TLS with version 1.2', () => {
  it('needs no byte of zero: the Finished of the server is the end', async () => {
    const server = eapServer();
    const outcome = await withClient(server, { maxVersion: 'TLSv1.2' });
    assert.ok(outcome.answer.is === 'success', JSON.stringify(outcome.answer));
    assert.ok(outcome.answer.msk && equalBytes(outcome.answer.msk, outcome.exported));
    assert.equal(outcome.clear.length, 0);
  });

  it('is done by our peer too, which wants no byte of zero then', async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const { answers, exported } = await withServer(eapPeer(tls()), version);
      assert.deepEqual(
        answers.map(({ is }) => is),
        ['packet', 'packet', 'packet', 'success'],
        version,
      );
      const end = answers.at(-1);
      assert.ok(end?.is === 'success' && end.msk && equalBytes(end.msk, exported), version);
    }
  });

  it('and 1.3 by a peer that is not ours: the byte of zero, and the same key', async () => {
    const outcome = await withClient(eapServer(), { minVersion: 'TLSv1.3' });
    assert.ok(outcome.answer.is === 'success', JSON.stringify(outcome.answer));
    assert.ok(outcome.answer.msk && equalBytes(outcome.answer.msk, outcome.exported));
    assert.deepEqual(outcome.clear, Uint8Array.of(0));
  });

  it('and a peer without a certificate ends in a failure, in both versions', async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const outcome = await withClient(eapServer(), { minVersion: version, maxVersion: version, bare: true });
      assert.ok(outcome.answer.is === 'failure');
      assert.equal(outcome.answer.why, "the peer's certificate: no-certificate");
    }
  });
});

describe('fragments of TLS in EAP', () => {
  const carry = (message: Bytes): Bytes => {
    const [sender, receiver] = [new TlsTransport(), new TlsTransport()];
    let packet = sender.send(message);
    for (;;) {
      const received = receiver.receive(packet);
      if (received.is === 'message') return received.bytes;
      assert.ok(received.is === 'reply');
      const next = sender.receive(received.data);
      assert.ok(next.is === 'reply');
      packet = next.data;
    }
  };

  it('carry messages of any length, none longer than it may be', () => {
    for (const length of [0, 1, FRAGMENT_BYTES, FRAGMENT_BYTES + 1, 2 * FRAGMENT_BYTES, 9_999, MAX_MESSAGE_BYTES])
      assert.equal(carry(new Uint8Array(length).fill(3)).length, length);
    assert.throws(() => carry(new Uint8Array(MAX_MESSAGE_BYTES + 1)), /a TLS message of 65537 bytes/);
  });

  it('have the length of the whole before the first of several, and only there (RFC 9190 §2.4)', () => {
    const sender = new TlsTransport();
    assert.equal(sender.send(new Uint8Array(FRAGMENT_BYTES))[0], 0);
    const first = sender.send(new Uint8Array(FRAGMENT_BYTES + 1));
    assert.equal(first[0], 0xc0);
    assert.deepEqual(first.subarray(1, 5), u32Bytes(FRAGMENT_BYTES + 1));
    const last = sender.receive(Uint8Array.of(0));
    assert.deepEqual(last, { is: 'reply', data: Uint8Array.of(0, 0) });
  });

  it('are refused out of order, beyond their length, short of it, empty, or without one', () => {
    const flagged = (flags: number, total: number | undefined, body: number): Bytes =>
      concat(Uint8Array.of(flags), total === undefined ? EMPTY : u32Bytes(total), new Uint8Array(body));
    const refused = (...packets: readonly Bytes[]): void => {
      const receiver = new TlsTransport();
      for (const packet of packets.slice(0, -1)) receiver.receive(packet);
      assert.throws(() => receiver.receive(packets.at(-1) ?? EMPTY), ProtocolError);
    };
    refused(EMPTY);
    refused(Uint8Array.of(0x80, 0, 0));
    refused(flagged(0x40, undefined, 10));
    refused(flagged(0xc0, 0xffff_ffff, 10));
    refused(flagged(0xc0, 10, 10));
    refused(flagged(0xc0, 10, 11));
    refused(flagged(0xc0, 10, 0));
    refused(flagged(0x80, 10, 9));
    refused(flagged(0xc0, 10, 5), flagged(0, undefined, 4));
    refused(flagged(0xc0, 10, 5), flagged(0, undefined, 6));
    refused(flagged(0xc0, 10, 5), flagged(0x80, 11, 5));
    const sender = new TlsTransport();
    sender.send(new Uint8Array(5_000));
    assert.throws(() => sender.receive(Uint8Array.of(0, 1)), /before all fragments/);
  });

  it('of any kind give a value or a ProtocolError', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 8 }), (packets) => {
        const receiver = new TlsTransport();
        for (const packet of packets) {
          try {
            receiver.receive(packet);
          } catch (error) {
            assert.ok(error instanceof ProtocolError);
          }
        }
      }),
    );
  });
});

/** Behind the header of the first record, so that it is not taken for the end of a flight. */
const turned = (packet: Bytes): Bytes => packet.map((byte, index) => (index === packet.length - 9 ? byte ^ 1 : byte));

interface Client {
  readonly minVersion?: 'TLSv1' | 'TLSv1.2' | 'TLSv1.3';
  readonly maxVersion?: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
  readonly ciphers?: string;
  readonly bare?: boolean;
}

class Line extends Duplex {
  readonly #said: Buffer[] = [];
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#said.push(chunk);
    done();
  }
  said(): Bytes {
    return concat(...this.#said.splice(0));
  }
}

const pem = (label: string, der: Bytes): string =>
  `-----BEGIN ${label}-----\n${Buffer.from(der).toString('base64')}\n-----END ${label}-----\n`;

const pair = () => ({
  cert: pem('CERTIFICATE', certificate.chain[0] ?? EMPTY),
  key: pem('PRIVATE KEY', certificate.key.expose()),
});

function client({ bare, ...options }: Client) {
  const line = new Line();
  const secureContext = createSecureContext({ ...options, ...(bare ? {} : pair()), ecdhCurve: 'P-256' });
  const socket = connect({ socket: line, secureContext, rejectUnauthorized: false });
  socket.on('error', () => undefined);
  return { line, socket };
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 6; turn++) await new Promise((next) => setImmediate(next));
};

async function hello(options: Client): Promise<Bytes> {
  const { line } = client(options);
  await turns();
  return line.said();
}

function exportedBy(socket: TLSSocket): Bytes {
  const exporter = socket.exportKeyingMaterial.bind(socket) as (length: number, label: string, context?: Buffer) => Buffer;
  const key =
    socket.getProtocol() === 'TLSv1.3'
      ? exporter(128, 'EXPORTER_EAP_TLS_Key_Material', Buffer.of(13))
      : exporter(128, 'client EAP encryption');
  return Uint8Array.from(key.subarray(0, 64));
}

/** A TLS server of the platform. */
async function withServer(peer: ReturnType<typeof eapPeer>, version: 'TLSv1.2' | 'TLSv1.3') {
  const line = new Line();
  const secureContext = createSecureContext({ ...{ minVersion: version, maxVersion: version }, ...pair() });
  const socket = new TLSSocket(line, { isServer: true, secureContext, requestCert: true, rejectUnauthorized: false });
  let exported: Bytes = EMPTY;
  socket.on('secure', () => {
    exported = exportedBy(socket);
    if (version === 'TLSv1.3') socket.write(Buffer.of(0));
  });
  const ask = (identifier: number, data: Bytes) =>
    peer.answer(question('peer', { message: encodeEap({ code: 1, identifier, type: EapType.TLS, data }) }));
  const answers = [await ask(1, Uint8Array.of(0x20))];
  for (let identifier = 2; identifier < 4; identifier++) {
    const { data } = typed(answers.at(-1)?.message ?? EMPTY);
    line.push(Buffer.from(data.subarray(1)));
    await turns();
    answers.push(await ask(identifier, concat(Uint8Array.of(0), line.said())));
  }
  answers.push(await peer.answer(question('peer', { message: encodeEap({ code: 3, identifier: 3 }) })));
  return { answers, exported };
}

/** A TLS client of the platform, whose flights all fit in one packet. */
async function withClient(server: ReturnType<typeof eapServer>, options: Client) {
  const { line, socket } = client(options);
  let clear: Bytes = EMPTY;
  let exported: Bytes = EMPTY;
  socket.on('data', (bytes: Buffer) => {
    clear = concat(clear, bytes);
  });
  socket.on('secureConnect', () => {
    exported = exportedBy(socket);
  });
  let answer = await server.answer(question('server', eapTls));
  for (let round = 0; round < 6 && answer.is === 'packet'; round++) {
    const { identifier, data } = typed(answer.message);
    if (data.length > 1) line.push(Buffer.from(data.subarray(data[0] === 0 ? 1 : 5)));
    await turns();
    const message = encodeEap({ code: 2, identifier, type: EapType.TLS, data: concat(Uint8Array.of(0), line.said()) });
    answer = await server.answer(question('server', { ...eapTls, message }));
  }
  return { answer, exported, clear };
}
