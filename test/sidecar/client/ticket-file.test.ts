/** The ticket on disk: whole or absent, its owner's alone, and gone before it is presented. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeTicket, encodeTicket } from '../../../sidecar/client/ticket-document.ts';
import { TicketFile } from '../../../sidecar/client/ticket-file.ts';
import { type Audience, TicketMemory } from '../../../sidecar/client/ticket-store.ts';
import { type Instant, later } from '../../../sidecar/ike/sa.ts';
import { email, fqdn } from '../../harness/policy.ts';
import { AUDIENCE, DIALLED, heldTicket, NOW } from './held-ticket.ts';
import { exchangeOf, Network, Subject } from './network.ts';

const folder = mkdtempSync(join(tmpdir(), 'ticket-'));
const file = join(folder, 'ticket.json');
const KEPT = { ticket: heldTicket(), gateway: DIALLED, provenBy: 'psk' };
let warnings: string[] = [];
const store = (audience: Partial<Audience> = {}): TicketFile =>
  new TicketFile(file, { ...AUDIENCE, ...audience }, (message) => warnings.push(message));

beforeEach(() => {
  rmSync(file, { recursive: true, force: true });
  warnings = [];
});
after(() => rmSync(folder, { recursive: true }));

describe('a ticket file', () => {
  it('gives back what was kept, once', () => {
    store().keep(heldTicket());
    assert.deepEqual(store().take(NOW), heldTicket());
    assert.equal(existsSync(file), false);
    assert.equal(store().take(NOW), undefined);
    assert.deepEqual(warnings, []);
  });

  it('is readable by its owner alone, whatever the umask and whatever was there', () => {
    writeFileSync(file, 'something', { mode: 0o644 });
    const before = process.umask(0);
    store().keep(heldTicket());
    process.umask(before);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(folder), ['ticket.json']);
  });

  it('is replaced whole: what a crash left beside it does no harm', () => {
    writeFileSync(`${file}.tmp`, 'half a tick', { mode: 0o644 });
    store().keep(heldTicket({ inner: [] }));
    assert.deepEqual(store().take(NOW), heldTicket({ inner: [] }));
    assert.deepEqual(readdirSync(folder), []);
  });

  it('replaces a link instead of writing where it leads', () => {
    const elsewhere = join(folder, 'elsewhere');
    writeFileSync(elsewhere, 'precious');
    symlinkSync(elsewhere, file);
    assert.equal(store().take(NOW), undefined);
    store().keep(heldTicket());
    assert.equal(readFileSync(elsewhere, 'utf8'), 'precious');
    rmSync(elsewhere);
  });

  it('is not used when others could read it, and says how to go on', () => {
    store().keep(heldTicket());
    chmodSync(file, 0o640);
    assert.equal(store().take(NOW), undefined);
    assert.match(warnings.join(), /ticket\.json: ticket not used: others may read it \(mode 0640\); remove it/);
  });

  it('is not presented past its lifetime, nor past the time of authenticating anew', () => {
    store().keep(heldTicket());
    assert.equal(store().take(later(NOW, 3_600_000)), undefined);
    store().keep(heldTicket({ reauthenticateBy: later(NOW, 10) }));
    assert.equal(store().take(later(NOW, 10)), undefined);
    assert.equal(existsSync(file), false);
  });

  for (const [whose, audience, words] of [
    ['another gateway', { gateway: 'other.example.com:500' }, /it is for the gateway vpn\.example\.com:500/],
    ['another user', { local: email('bob@example.com') }, /it belongs to alice@example\.com/],
    ['a gateway of another name', { remote: fqdn('other.example.com') }, /it was given by vpn\.example\.com/],
    ['other credentials', { provenBy: 'certificate 0a' }, /it came of other credentials \(psk\)/],
    ['keys that quantum computers break', { postQuantum: 'required' }, /its session is not safe from quantum computers/],
    [
      'algorithms that are not proposed any more',
      { algorithms: { ...AUDIENCE.algorithms, prf: [7] } },
      /algorithms that are not proposed/,
    ],
  ] as const) {
    it(`is left alone when it is for ${whose}`, () => {
      store().keep(heldTicket());
      assert.equal(store(audience).take(NOW), undefined);
      assert.match(warnings.join(), words);
      assert.deepEqual(store().take(NOW), heldTicket());
    });
  }

  it('is ignored with a word when it is corrupt in any way, never with an exception, never with its content', () => {
    const whole = encodeTicket(KEPT);
    const secret = Buffer.from(heldTicket().skD).toString('base64');
    fc.assert(
      fc.property(fc.nat(whole.length - 3), fc.string(), (cut, noise) => {
        warnings = [];
        writeFileSync(file, whole.slice(0, cut) + noise, { mode: 0o600 });
        assert.equal(store().take(NOW), undefined);
        assert.ok(warnings.length > 0);
        assert.doesNotMatch(warnings.join(), new RegExp(secret.slice(0, 20).replaceAll('+', '\\+')));
      }),
      { numRuns: 100 },
    );
  });

  it('of another version is refused with a remedy', () => {
    const { provenBy: _, ...first } = { ...JSON.parse(encodeTicket(KEPT)), version: 1 };
    const read = decodeTicket(JSON.stringify(first), 'ticket.json');
    assert.ok(!read.ok);
    assert.deepEqual(
      read.problems.map(({ path, remedy }) => [path, remedy]),
      [['version', 'remove the file; the next session brings a new ticket']],
    );
  });

  it('that cannot be read or written costs a warning', () => {
    mkdirSync(file);
    assert.equal(store().take(NOW), undefined);
    store().keep(heldTicket());
    store().discard();
    assert.equal(warnings.length, 3);
    assert.match(warnings[1] ?? '', /--ticket-file/);
    const nowhere = new TicketFile(join(folder, 'no', 'such', 'folder'), AUDIENCE, (message) => warnings.push(message));
    nowhere.keep(heldTicket());
    assert.match(warnings[3] ?? '', /cannot be kept/);
  });

  it('takes back what it wrote, for every ticket', () => {
    const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength });
    const times = fc.integer({ min: 0, max: 4_000_000_000_000 }).map((ms) => later(0 as Instant, ms));
    fc.assert(
      fc.property(
        bytes(1, 2_000),
        bytes(16, 64),
        times,
        times,
        fc.constantFrom(4, 16),
        (ticket, skD, expiresAt, reauthenticateBy, length) => {
          const held = heldTicket({ ticket, skD, expiresAt, reauthenticateBy, inner: [new Uint8Array(length).fill(length)] });
          const read = decodeTicket(encodeTicket({ ...KEPT, ticket: held }), 'f');
          assert.ok(read.ok);
          assert.deepEqual(read.value, { ...KEPT, ticket: held });
        },
      ),
    );
  });
});

describe('custody of the ticket (RFC 5723 §4.3.1)', () => {
  it('the file is gone before its ticket is on the wire, and there again when the session has a new one', async () => {
    const network = new Network();
    const pods = [network.pod(0), network.pod(1)];
    const subject = new Subject(network, { deadPeerMs: 2_000 }, store());
    void subject.client.connect();
    await network.clock.advance(100);
    assert.equal(existsSync(file), true);
    const seen: boolean[] = [];
    network.lost = (datagram) => {
      if (exchangeOf(datagram) === 38) seen.push(existsSync(file));
      return false;
    };
    pods[0]?.kill();
    await network.clock.advance(3_000);
    assert.equal(subject.last('established').kind, 'resumed');
    assert.deepEqual(seen, [false]);
    assert.equal(existsSync(file), true);
  });

  it('in memory, a ticket is given out once and not past its lifetime', () => {
    const memory = new TicketMemory();
    memory.keep(heldTicket());
    assert.deepEqual(memory.take(NOW), heldTicket());
    assert.equal(memory.take(NOW), undefined);
    memory.keep(heldTicket());
    assert.equal(memory.take(later(NOW, 4_000_000)), undefined);
  });
});
