import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_RULES } from '../../../sidecar/contract/authentication-yaml.ts';
import type { KeyRing } from '../../../sidecar/contract/key-ring.ts';
import { ProtocolError } from '../../../sidecar/ike/error.ts';
import { TRUSTS_NOBODY } from '../../../sidecar/ike/pki/trust.ts';
import { type Instant, later, NEVER } from '../../../sidecar/ike/sa.ts';
import { SpentTickets } from '../../../sidecar/ike/spent-tickets.ts';
import {
  openTicket,
  pskDigest,
  refusalByPolicy,
  sealTicket,
  type TicketState,
  ticketLifetime,
} from '../../../sidecar/ike/ticket.ts';
import { decodeTicketState, encodeTicketState } from '../../../sidecar/ike/ticket-state.ts';
import { type Bytes, concat, hex, utf8 } from '../../../sidecar/ike/wire/bytes.ts';
import { encodeMessage, NO_SPI } from '../../../sidecar/ike/wire/message.ts';
import { notify } from '../../../sidecar/ike/wire/payload.ts';
import { AuthMethod, Encr, Exchange, IdType, Integ, Ke, Notify, Prf } from '../../../sidecar/ike/wire/registry.ts';
import { AEAD, ALICE, CERTIFICATE_RULE, config, email, fqdn, GATEWAY, PSK, policy } from '../../harness/policy.ts';
import { ticketState } from './arbitrary-sa.ts';
import { AUDIENCE, counting, crypto, NOW, ring, ringKey } from './key-rings.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const active = ring(ringKey(1, 'active'));

const state: TicketState = {
  ticketId: new Uint8Array(16).fill(5),
  issuedAt: NOW,
  expiresAt: later(NOW, HOUR),
  idI: ALICE,
  idR: GATEWAY,
  authenticated: undefined,
  authMethod: AuthMethod.SHARED_KEY,
  authenticatedAt: NOW,
  reauthenticateBy: later(NOW, 24 * HOUR),
  certificate: undefined,
  psk: pskDigest(PSK, crypto),
  suite: { encr: Encr.AES_GCM_16, keyBits: 256, integ: Integ.NONE, prf: Prf.HMAC_SHA2_256, ke: Ke.CURVE25519 },
  skD: new Uint8Array(32).fill(0xd0),
  spiI: '0011223344556677',
  spiR: '8899aabbccddeeff',
  pod: 1,
  inner: [Uint8Array.of(10, 8, 0, 2)],
  accounting: undefined,
  eapType: undefined,
  postQuantum: false,
};

function seal(part: Partial<TicketState> = {}, by: KeyRing = active): Bytes {
  const sealed = sealTicket({ ring: by, crypto, audience: AUDIENCE, random: counting() }, { ...state, ...part });
  return sealed?.ticket ?? assert.fail('no ticket');
}
const open = (ticket: Bytes, part: { ring?: KeyRing; now?: Instant; audience?: string } = {}) =>
  openTicket({ ring: active, crypto, audience: AUDIENCE, now: NOW, ...part }, ticket);

describe('a ticket', () => {
  it('opens to the state that was sealed in it', () => {
    fc.assert(
      fc.property(ticketState, (any) => {
        const good = { ...any, expiresAt: later(NOW, HOUR), reauthenticateBy: NEVER };
        assert.deepEqual(open(seal(good)), { state: good, keyId: '01'.repeat(8) });
      }),
    );
  });

  /** RFC 5723 appendix A.1, with a longer nonce. */
  it('has its version, key id and nonce in the clear, and nothing else', () => {
    const ticket = seal();
    assert.equal(hex(ticket.subarray(0, 12)), `01000000${'01'.repeat(8)}`);
    assert.deepEqual(ticket.subarray(12, 36), counting()(24));
    for (const secret of [state.skD, state.idI.data, state.ticketId]) {
      assert.ok(!Buffer.from(ticket).includes(Buffer.from(secret)));
    }
  });

  it('is never sealed twice under one nonce', () => {
    const random = counting();
    const sealing = { ring: active, crypto, audience: AUDIENCE, random };
    assert.notDeepEqual(sealTicket(sealing, state)?.ticket, sealTicket(sealing, state)?.ticket);
  });

  it('is sealed with the active key only', () => {
    const keys = ring(ringKey(2, 'next'), ringKey(3, 'retired', NOW + HOUR), ringKey(1, 'active'));
    assert.equal(hex(seal({}, keys).subarray(4, 12)), '01'.repeat(8));
  });

  /** RFC 5723 §6.1; KUBERNETES: no ticket is sealed to expire after its key. */
  it('is not sealed to outlive its key', () => {
    const sealing = { ring: ring(ringKey(1, 'active', state.expiresAt)), crypto, audience: AUDIENCE, random: counting() };
    assert.ok(sealTicket(sealing, state));
    assert.equal(sealTicket(sealing, { ...state, expiresAt: later(state.expiresAt, 1) }), undefined);
  });

  it('opens while its key is next, active or retired', () => {
    const ticket = seal();
    for (const known of [ringKey(1, 'next'), ringKey(1, 'retired'), ringKey(1, 'retired', NOW + 1)]) {
      assert.deepEqual(open(ticket, { ring: ring(ringKey(2, 'active'), known) }).keyId, '01'.repeat(8));
      assert.equal(open(ticket, { ring: ring(ringKey(2, 'active'), known) }).refused, undefined);
    }
  });

  it('of 32-letter identities stays below 400 bytes, and an IKE_SESSION_RESUME request with a cookie below 1200', () => {
    const name = (idType: number) =>
      fc
        .string({ unit: fc.constantFrom(...'abcdefgh.'), minLength: 32, maxLength: 32 })
        .map((text) => ({ idType, data: utf8(text) }));
    const inner = [new Uint8Array(4).fill(255), new Uint8Array(16).fill(255)];
    const fields = fc.record({ idI: name(IdType.ID_RFC822_ADDR), idR: name(IdType.ID_FQDN), skD: fc.constantFrom(32, 48, 64) });
    fc.assert(
      fc.property(fields, ({ idI, idR, skD }) => {
        const ticket = seal({ idI, idR, inner, skD: new Uint8Array(skD).fill(255), spiI: 'f'.repeat(16), pod: 254 });
        assert.ok(ticket.length < 400, `${ticket.length}`);
        assert.ok(resumeRequest(ticket).length < 1200 - 400);
      }),
    );
    const reference = { issuer: new Uint8Array(20), serial: new Uint8Array(20) };
    const certificate = { fingerprint: new Uint8Array(32), chain: [reference, reference], notAfter: NOW };
    const long = { idType: IdType.ID_FQDN, data: new Uint8Array(128) };
    const largest = seal({ idI: long, idR: long, authenticated: long, inner, certificate, skD: new Uint8Array(64) });
    assert.ok(resumeRequest(largest).length < 1200, `${resumeRequest(largest).length}`);
  });

  function resumeRequest(ticket: Bytes): Bytes {
    const header = {
      spiI: 'f'.repeat(16),
      spiR: NO_SPI,
      exchange: Exchange.IKE_SESSION_RESUME,
      response: false,
      initiator: true,
      messageId: 0,
    };
    return encodeMessage({
      ...header,
      payloads: [
        notify(Notify.COOKIE, new Uint8Array(64)),
        { kind: 'NONCE', data: new Uint8Array(32) },
        notify(Notify.TICKET_OPAQUE, ticket),
        notify(Notify.NAT_DETECTION_SOURCE_IP, new Uint8Array(20)),
        notify(Notify.NAT_DETECTION_DESTINATION_IP, new Uint8Array(20)),
        notify(Notify.IKEV2_FRAGMENTATION_SUPPORTED),
      ],
    });
  }
});

describe('a ticket is refused', () => {
  const revoked = { ...active, revoked: [{ id: new Uint8Array(8).fill(1), until: NOW + HOUR }] };
  const refused = (reason: string, keyId: string | undefined = '01'.repeat(8)) => ({ refused: reason, keyId });

  it('as malformed when it is too short, of another version, or has reserved bits', () => {
    const ticket = seal();
    assert.deepEqual(open(ticket.subarray(0, 51)), { refused: 'malformed', keyId: undefined });
    for (const at of [0, 1, 2, 3]) {
      assert.deepEqual(open(ticket.map((byte, index) => (index === at ? byte ^ 2 : byte))), {
        refused: 'malformed',
        keyId: undefined,
      });
    }
    assert.deepEqual(open(new Uint8Array()), { refused: 'malformed', keyId: undefined });
  });

  it('when nobody knows its key', () => {
    assert.deepEqual(open(seal(), { ring: ring(ringKey(2, 'active')) }), refused('unknown-key'));
  });

  it('when its key was revoked, even if the ring still has it', () => {
    assert.deepEqual(open(seal(), { ring: revoked }), refused('revoked-key'));
    assert.deepEqual(open(seal(), { ring: { ...ring(ringKey(2, 'active')), revoked: revoked.revoked } }), refused('revoked-key'));
  });

  it('when its key is past its time', () => {
    const retired = ring(ringKey(2, 'active'), ringKey(1, 'retired', NOW));
    assert.deepEqual(open(seal(), { ring: retired }), refused('expired'));
  });

  it('when it was issued before the revocation time', () => {
    assert.deepEqual(open(seal(), { ring: { ...active, revokedBefore: NOW + 1 } }), refused('revoked-time'));
    assert.equal(open(seal(), { ring: { ...active, revokedBefore: NOW } }).refused, undefined);
  });

  it('once it has expired, or its user must authenticate anew', () => {
    assert.equal(open(seal(), { now: later(state.expiresAt, -1) }).refused, undefined);
    assert.deepEqual(open(seal(), { now: state.expiresAt }), refused('expired'));
    const old = seal({ expiresAt: NEVER, reauthenticateBy: later(NOW, MINUTE) }, active);
    assert.deepEqual(open(old, { now: later(NOW, MINUTE) }), refused('expired'));
  });

  it('at the gateway of another audience', () => {
    assert.deepEqual(open(seal(), { audience: 'admins' }), refused('not-authentic'));
  });

  it('with any bit changed, header included', () => {
    const ticket = seal();
    for (let bit = 0; bit < 8 * ticket.length; bit += 3) {
      const changed = ticket.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      assert.notEqual(open(changed).refused, undefined, `bit ${bit}`);
    }
    const other = ring(ringKey(1, 'active'), { ...ringKey(1, 'next'), id: new Uint8Array(8).fill(9) });
    const renamed = ticket.map((byte, at) => (at >= 4 && at < 12 ? 9 : byte));
    assert.deepEqual(
      open(renamed, { ring: other }),
      refused('not-authentic', '09'.repeat(8)),
      'the same secret under another id',
    );
  });

  it('when a sibling of another version sealed it', () => {
    const { subkey } = crypto.sealing;
    const key = subkey(new Uint8Array(32).fill(1), 'ticket', AUDIENCE);
    const [header, nonce] = [seal().subarray(0, 12), new Uint8Array(24)];
    const other = crypto.sealing.seal(key, nonce, Uint8Array.of(255, 0xf6), header);
    assert.deepEqual(open(concat(header, nonce, other)), refused('malformed'));
  });

  it('whatever bytes it consists of', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 120 }),
      fc.uint8Array({ minLength: 40, maxLength: 120 }).map((rest) => concat(seal().subarray(0, 12), rest)),
    );
    fc.assert(fc.property(bytes, (ticket) => assert.notEqual(open(ticket).refused, undefined)));
  });
});

describe('the sealed state', () => {
  it('is the same after it was encoded and decoded', () => {
    fc.assert(fc.property(ticketState, (any) => assert.deepEqual(decodeTicketState(encodeTicketState(any)), any)));
  });

  it('is malformed or a state, whatever stands in it', () => {
    const whole = encodeTicketState(state);
    const wrong = fc.tuple(fc.nat(whole.length - 2), fc.uint8Array({ minLength: 1, maxLength: 40 }));
    fc.assert(
      fc.property(wrong, ([at, bytes]) => {
        try {
          decodeTicketState(
            concat(whole.subarray(0, at + 1), bytes, whole.subarray(Math.min(whole.length, at + 1 + bytes.length))),
          );
        } catch (error) {
          assert.ok(error instanceof ProtocolError, String(error));
        }
      }),
    );
    for (let length = 0; length < whole.length; length++)
      assert.throws(() => decodeTicketState(whole.subarray(0, length)), ProtocolError, `${length} bytes`);
    assert.throws(() => decodeTicketState(concat(whole, Uint8Array.of(0))), ProtocolError);
  });

  it('of another layout is that of another version, not malformed', () => {
    const other = encodeTicketState(state);
    other[0] = 2;
    assert.equal(decodeTicketState(other), undefined);
  });

  it('keeps whole milliseconds, the end of a fraction being too early rather than too late', () => {
    const decoded = decodeTicketState(encodeTicketState({ ...state, expiresAt: 1_000.9 as Instant }));
    assert.equal(decoded?.expiresAt, 1_000);
  });
});

describe('policy', () => {
  const spent = () => new SpentTickets(10);
  const ask = (
    part: { state?: Partial<TicketState>; policy?: ReturnType<typeof policy>; spent?: SpentTickets; now?: Instant } = {},
  ) =>
    refusalByPolicy({ ...state, ...part.state }, part.policy ?? policy(), {
      spent: part.spent ?? spent(),
      crypto,
      now: part.now ?? NOW,
    });
  const users = (...names: string[]) => new Map(names.map((name) => [hex(utf8(name)), PSK]));

  it('welcomes what nothing speaks against', () => assert.equal(ask(), undefined));

  it('refuses all while tickets are disabled', () => {
    assert.equal(ask({ policy: policy({ config: config({ tickets: { enabled: false } }) }) }), 'disabled');
  });

  it('refuses who is on the list, by either identity', () => {
    const listed = policy({
      config: config({ tickets: { revokedIdentities: [ALICE] } }),
      users: users('alice@example.com', 'bob'),
    });
    const bob = email('bob');
    assert.equal(ask({ policy: listed }), 'revoked-identity');
    assert.equal(ask({ policy: listed, state: { idI: bob, authenticated: ALICE } }), 'revoked-identity');
    assert.equal(ask({ policy: listed, state: { idI: ALICE, authenticated: bob } }), 'revoked-identity');
    assert.equal(ask({ policy: listed, state: { idI: bob } }), undefined);
    assert.equal(
      ask({ policy: listed, state: { idI: { ...ALICE, idType: IdType.ID_FQDN } } }),
      undefined,
      'another type is another identity',
    );
  });

  it('refuses who has no key any more, unless the ticket came of something else', () => {
    const nobody = policy({
      users: users('bob'),
      config: config({ authentication: [...DEFAULT_RULES, CERTIFICATE_RULE] }),
    });
    assert.equal(ask({ policy: nobody }), 'revoked-identity');
    assert.equal(ask({ policy: nobody, state: { authenticated: email('bob') } }), undefined);
    assert.equal(ask({ policy: nobody, state: { authMethod: AuthMethod.DIGITAL_SIGNATURE } }), undefined);
  });

  it('refuses who would come in by no rule, and whose certificate is revoked', () => {
    const certified = { authMethod: AuthMethod.DIGITAL_SIGNATURE, psk: undefined };
    assert.equal(ask({ state: certified }), 'policy');
    const certificate = { fingerprint: new Uint8Array(32), chain: [], notAfter: later(NOW, HOUR) };
    const both = config({ authentication: [...DEFAULT_RULES, CERTIFICATE_RULE] });
    const revoking = { credentials: { trust: { ...TRUSTS_NOBODY, revokes: () => true } }, config: both };
    assert.equal(ask({ state: { ...certified, certificate }, policy: policy(revoking) }), 'revoked-certificate');
    assert.equal(ask({ state: { ...certified, certificate }, policy: policy({ config: both }) }), undefined);
  });

  it('refuses what came of a key that another one has replaced', () => {
    const replaced = policy({ users: new Map([[hex(ALICE.data), utf8('a new key')]]) });
    assert.equal(ask({ policy: replaced }), 'revoked-identity');
    assert.equal(ask({ policy: replaced, state: { psk: pskDigest(utf8('a new key'), crypto) } }), undefined);
    assert.equal(ask({ state: { psk: undefined } }), 'revoked-identity');
  });

  it('refuses what was used', () => {
    const used = spent();
    used.spend(state.ticketId, state.expiresAt);
    assert.equal(ask({ spent: used }), 'spent');
  });

  it('applies the re-authentication time of today', () => {
    const strict = policy({ config: config({ ike: { reauthenticationMs: HOUR } }) });
    assert.equal(ask({ policy: strict, now: later(NOW, HOUR - 1) }), undefined);
    assert.equal(ask({ policy: strict, now: later(NOW, HOUR) }), 'policy');
  });

  it('refuses a ticket for another identity of the gateway', () => {
    assert.equal(ask({ policy: policy({ config: config({ identity: fqdn('new.example.com') }) }) }), 'policy');
  });

  const suites: Record<string, Partial<TicketState['suite']>> = {
    encryption: { encr: Encr.CHACHA20_POLY1305, keyBits: 0 },
    'kind of encryption': { encr: Encr.AES_CBC },
    'key length': { keyBits: 128 },
    integrity: { integ: Integ.HMAC_SHA2_256_128 },
    PRF: { prf: Prf.HMAC_SHA2_512 },
    'key exchange': { ke: Ke.MODP_2048 },
  };
  for (const [what, other] of Object.entries(suites)) {
    it(`refuses an SA whose ${what} is no longer accepted`, () => {
      assert.equal(ask({ state: { suite: { ...state.suite, ...other } } }), 'policy');
    });
  }
});

describe('the lifetime of a ticket', () => {
  const lifetime = (lifetimeMs: number, left: number, openUntil?: number): number =>
    ticketLifetime(config({ tickets: { lifetimeMs }, ike: { algorithms: AEAD } }), ring(ringKey(1, 'active', openUntil)), NOW, {
      reauthenticateBy: later(NOW, left),
    });

  it('is what is configured, at most the time to re-authentication and the time of its key', () => {
    assert.equal(lifetime(HOUR, 2 * HOUR), HOUR);
    assert.equal(lifetime(HOUR, MINUTE), MINUTE);
    assert.equal(lifetime(HOUR, 2 * HOUR, NOW + 2 * MINUTE), 2 * MINUTE);
  });

  it('is whole seconds, and none rather than less than one', () => {
    assert.equal(lifetime(HOUR, 1999), 1000);
    assert.equal(lifetime(HOUR, 999), 0);
    assert.equal(lifetime(HOUR, -HOUR), 0);
    assert.equal(lifetime(HOUR, HOUR, NOW - 1), 0);
  });

  /** RFC 5723 §6.2, §7.1: "a finite lifetime MUST be specified", in 32 bits. */
  it('is finite and fits its field', () => {
    const longest = lifetime(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
    assert.equal(longest / 1000, 0xffff_ffff);
  });

  it('lets no ticket outlive its key', () => {
    fc.assert(
      fc.property(fc.nat(3 * HOUR), fc.nat(3 * HOUR), fc.nat(3 * HOUR), (configured, left, open) => {
        const keys = ring(ringKey(1, 'active', NOW + open));
        const ms = ticketLifetime(config({ tickets: { lifetimeMs: configured } }), keys, NOW, {
          reauthenticateBy: later(NOW, left),
        });
        const sealing = { ring: keys, crypto, audience: AUDIENCE, random: counting() };
        assert.ok(ms === 0 || sealTicket(sealing, { ...state, expiresAt: later(NOW, ms) }));
      }),
    );
  });
});
