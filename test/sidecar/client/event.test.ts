/** Events as lines: JSON that a program can follow, sentences that a person can. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ClientEvent, toJson, toText } from '../../../sidecar/client/event.ts';
import { remedyFor, remedyForEnd } from '../../../sidecar/client/remedy.ts';

const AT = Date.UTC(2030, 0, 2, 3, 4, 5, 6);
const established: ClientEvent = {
  ...{ name: 'established', kind: 'resumed', roundTrips: 2, keyExchanges: 0, durationMs: 7, outageMs: 12 },
  ...{
    inner: ['10.8.0.7'],
    routes: ['0.0.0.0/0'],
    gateway: '198.51.100.1:4500',
    local: '192.0.2.1:40001',
    remoteId: 'vpn.example.com',
  },
  ...{ gatewayProof: 'ticket', postQuantum: true, dns: ['10.8.0.53'], domains: ['corp.example.com'] },
  reauthenticateInMs: 7_200_000,
  ...{ spiI: '00000000000000aa', spiR: '00000000000000bb' },
};
const events: readonly ClientEvent[] = [
  { name: 'connecting', attempt: 1, gateway: '198.51.100.1:500', local: '192.0.2.1:40000' },
  { name: 'resuming', attempt: 2, gateway: '198.51.100.1:500', local: '192.0.2.1:40001' },
  { name: 'half-open', gateway: 'vpn.example.com:500' },
  established,
  { name: 'ticket', lifetimeMs: 3_600_000 },
  { name: 'ticket-void', why: 'we deleted the IKE SA' },
  { name: 'ping', address: '10.8.0.1', seq: 1, rttMs: 1.234 },
  { name: 'ping-lost', address: '10.8.0.1', seq: 2 },
  { name: 'dead-peer', detectedAfterMs: 10_000 },
  { name: 'nacked', why: 'refused: TICKET_NACK' },
  { name: 'unanswered', kind: 'full', attempt: 3, waitedMs: 900 },
  { name: 'refused', by: 'peer', exchange: 'IKE_AUTH', notify: 'AUTHENTICATION_FAILED', reason: 'no', remedy: 'try' },
  { name: 'waiting', waitMs: 200_000 },
  { name: 'rekeyed', what: 'child' },
  { name: 'closed', why: 'deleted', remedy: undefined },
  { name: 'suspended', ticket: true },
  { name: 'ping-summary', address: '10.8.0.1', sent: 4, received: 3, minMs: 1, meanMs: 2, maxMs: 3 },
  { name: 'warning', message: 'something' },
];

describe('an event', () => {
  it('is one line of JSON with its time, its name and its fields', () => {
    for (const event of events) {
      const line = toJson(event, AT);
      assert.doesNotMatch(line, /\n/);
      const { time, ...rest } = JSON.parse(line);
      assert.equal(time, '2030-01-02T03:04:05.006Z');
      assert.deepEqual(rest, JSON.parse(JSON.stringify(event)));
    }
  });

  it('is one line for a person', () => {
    for (const event of events) assert.match(toText(event, AT), /^03:04:05\.006 {2}\S.*\S$/);
    assert.match(
      toText(established, AT),
      /resumed with vpn\.example\.com .*\(proven by the ticket\): 2 round trips, 0 key exchanges, 7 ms, 12 ms after/,
    );
    assert.match(
      toText(established, AT),
      /names by 10\.8\.0\.53 for corp\.example\.com, safe from quantum computers, to authenticate anew in 120 min$/,
    );
    assert.match(
      toText(
        { name: 'ping-summary', address: 'a', sent: 0, received: 0, minMs: undefined, meanMs: undefined, maxMs: undefined },
        AT,
      ),
      /0 % lost/,
    );
  });

  it('of a refusal or an end says what to do, where that is known', () => {
    const refused = { name: 'refused', by: 'us', exchange: 'IKE_AUTH', notify: 'AUTHENTICATION_FAILED', reason: 'no' } as const;
    assert.match(
      toText({ ...refused, remedy: 'compare --id' }, AT),
      /refused by us: AUTHENTICATION_FAILED \(no\); compare --id$/,
    );
    assert.match(toText({ ...refused, remedy: undefined }, AT), /\(no\)$/);
    assert.match(toText({ name: 'closed', why: 'deleted', remedy: 'nothing' }, AT), /closed: deleted; nothing$/);
  });
});

describe('a remedy', () => {
  for (const [by, notify, reason, words] of [
    ['peer', 'AUTHENTICATION_FAILED', 'the gateway refuses us', /--id, .*--psk-file/],
    ['peer', 'NO_PROPOSAL_CHOSEN', 'x', /--proposal/],
    ['us', 'AUTHENTICATION_FAILED', 'the gateway calls itself a.example, not b.example', /--remote-id/],
    ['us', 'AUTHENTICATION_FAILED', "the gateway's certificate is for other names (a.example), not b.example", /--remote-id/],
    ['us', 'AUTHENTICATION_FAILED', 'the gateway has a certificate that is not trusted: unknown-authority', /--ca/],
    ['us', 'AUTHENTICATION_FAILED', 'the gateway has a certificate that is not trusted: expired', /clock/],
    ['us', 'AUTHENTICATION_FAILED', 'the gateway proves itself in another way than we want', /--psk-file, --cert/],
    ['us', 'AUTHENTICATION_FAILED', 'EAP: wrong user or password', /--eap-password-file/],
    ['us', 'AUTHENTICATION_FAILED', "EAP: the server's certificate: wrong-identity", /--eap-server-id/],
  ] as const) {
    it(`for "${reason}" names the flags`, () => assert.match(remedyFor({ by, notify, reason }) ?? '', words));
  }

  it('is not made up', () => {
    assert.equal(remedyFor({ by: 'us', notify: 'INVALID_SYNTAX', reason: 'the gateway calls itself' }), undefined);
    assert.equal(remedyForEnd('deleted'), undefined);
    assert.match(remedyForEnd('replaced by another session') ?? '', /same identity/);
  });
});
