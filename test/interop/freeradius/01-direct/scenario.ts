/** Our RADIUS client against FreeRADIUS, without IKE around it: EAP both ways to an end, servers that do not answer, and accounting. */
import assert from 'node:assert/strict';
import { parseIdentity } from '../../../../sidecar/contract/identity.ts';
import type { EapAnswer } from '../../../../sidecar/ike/eap.ts';
import type { Instant } from '../../../../sidecar/ike/sa.ts';
import type { Event } from '../../../../sidecar/ike/step.ts';
import { hex } from '../../../../sidecar/ike/wire/bytes.ts';
import { Authority } from '../../lab/authority.ts';
import { RADIUS_PORTS } from '../../lab/freeradius.ts';
import type { Scenario } from '../../lab/scenario.ts';
import { certificate, login, password, startNas } from '../login.ts';

const PASSWORD = 'correct horse battery staple';
const NOBODY = { port: 9, accountingPort: 9 } as const;

export const scenario: Scenario = {
  title: 'our RADIUS client: accepted, refused, challenged, kept from a wrong secret, past a silent server, and accounts kept',
  async run(lab) {
    const root = await Authority.root(lab.folder, 'root', 'ecdsa-p256');
    const server = await root.issue({ name: 'radius', kind: 'ecdsa-p256', names: ['DNS:radius.example'], usage: 'server' });
    const device = await root.issue({ name: 'device', kind: 'ecdsa-p256', names: ['DNS:client.example'], usage: 'client' });
    const peer = await lab.freeRadius({ server, anchor: root.certificate });
    const here = { host: peer.address, ...RADIUS_PORTS };
    const counts = { packetsIn: 3, bytesIn: 2 ** 32 + 5, packetsOut: 2, bytesOut: 100 };
    const nas = startNas({ servers: [here], traffic: (spiIn) => (spiIn === 700 ? counts : undefined) });

    const granted = await lab.step(
      'EAP-MSCHAPv2 is accepted: both have the same key, and what the users file grants',
      async () => {
        const success = accepted(await login(nas, password('alice', PASSWORD)));
        assert.deepEqual([success.type, success.identity, success.mutual], [26, 'alice', false]);
        assert.deepEqual(success.granted.addresses.map(hex), ['0a08004d', 'fd000008000000000000000000000077']);
        assert.equal(hex(success.granted.class ?? new Uint8Array()), '1906676f6c64190400ff');
        assert.deepEqual([success.granted.sessionTimeoutMs, success.granted.interimMs], [3_600_000, 60_000]);
        await peer.says(/Login OK: \[alice/);
        return success.granted;
      },
    );
    await lab.step('EAP-TLS over TLS 1.3, in fragments that fit an IKE message', async () => {
      const success = accepted(await login(nas, certificate('client.example', device, root.certificate)));
      assert.deepEqual([success.type, success.identity, success.mutual], [13, 'client.example', true]);
      await peer.says(/TLSv1\.3|TLS 1\.3/);
    });
    await lab.step('a wrong password and an unknown user are refused with EAP-Failure', async () => {
      for (const credentials of [password('alice', 'wrong'), password('mallory', PASSWORD)]) {
        const { gateway, peer: told } = await login(nas, credentials);
        assert.equal(gateway.is, 'failure');
        assert.equal(told?.is, 'failure');
      }
      assert.equal(nas.seen.filter((one) => one === 'reject').length >= 1, true);
    });
    await lab.step('with another secret neither believes the other', async () => {
      const stranger = startNas({ servers: [here], secret: 'another secret of 16' });
      const { gateway } = await login(stranger, password('alice', PASSWORD));
      assert.equal(gateway.is, 'failure');
      assert.ok(stranger.seen.includes('silent'));
      await peer.says(/invalid Message-Authenticator/i);
      await stranger.radius.close();
    });
    await lab.step('a server that is not there is passed over, and its successor asked', async () => {
      const careful = startNas({ servers: [{ host: peer.address, ...NOBODY }, here] });
      for (let n = 0; n < 3; n += 1) accepted(await login(careful, password('alice', PASSWORD)));
      assert.equal(careful.seen.filter((one) => one === 'silent').length, 1);
      assert.ok(careful.seen.includes(`passed over ${peer.address}:9`));
      await careful.radius.close();
    });
    await lab.step('one that falls silent costs the logins that meet it, and is found again by Status-Server', async () => {
      peer.freeze();
      const { gateway } = await login(nas, password('alice', PASSWORD));
      assert.equal(gateway.is, 'failure');
      peer.thaw();
      await lab.eventually(async () => assert.ok(nas.seen.includes('alive')));
      accepted(await login(nas, password('alice', PASSWORD)));
    });
    await lab.step('start and stop of a session stand in its accounts, with each Class and more than 4 GiB', async () => {
      const accounting = { class: granted.class ?? new Uint8Array(), interimMs: granted.interimMs };
      for (const event of session(accounting)) nas.radius.observe(event);
      await lab.eventually(async () => assert.equal(peer.accounting().length, 2));
      const entries = peer.accounting().toSorted((a, b) => (of(a, 'Acct-Status-Type') < of(b, 'Acct-Status-Type') ? -1 : 1));
      const [start, stop] = entries;
      assert.deepEqual([of(start, 'Acct-Status-Type'), of(stop, 'Acct-Status-Type')], ['Start', 'Stop']);
      for (const name of ['Acct-Session-Id', 'Acct-Multi-Session-Id', 'User-Name', 'Class'])
        assert.equal(of(start, name), of(stop, name));
      assert.deepEqual(
        ['User-Name', 'Framed-IP-Address', 'Calling-Station-Id', 'NAS-Identifier'].map((name) => of(stop, name)),
        ['alice', '10.8.0.77', '198.51.100.7', 'vpn.example.com'],
      );
      assert.deepEqual(
        ['Acct-Input-Octets', 'Acct-Input-Gigawords', 'Acct-Output-Octets', 'Acct-Terminate-Cause'].map((name) => of(stop, name)),
        ['5', '1', '100', 'User-Request'],
      );
    });
    await nas.radius.close();
  },
};

function accepted({ gateway, peer }: { gateway: EapAnswer; peer: EapAnswer | undefined }) {
  assert.ok(gateway.is === 'success' && peer?.is === 'success', JSON.stringify([gateway, peer]));
  assert.equal(hex(gateway.msk ?? new Uint8Array()), hex(peer.msk ?? new Uint8Array(1)));
  return gateway;
}

const of = (entry: ReadonlyMap<string, string> | undefined, name: string): string => entry?.get(name) ?? '';

function session(accounting: { class: Uint8Array; interimMs: number | undefined }): readonly Event[] {
  const which = {
    ...{ spiI: '1111111111111111', spiR: '2222222222222222' },
    path: { local: '192.0.2.9:4500', remote: '198.51.100.7:4500' },
  };
  const remote = parseIdentity('alice');
  return [
    {
      ...{ name: 'established', kind: 'full', local: parseIdentity('vpn.example.com'), remote, accounting },
      ...{ inner: [Uint8Array.of(10, 8, 0, 77)], durationMs: 40, roundTrips: undefined, keyExchanges: 1 },
      ...{
        connection: undefined,
        rule: 'staff',
        resolvers: undefined,
        postQuantum: false,
        authenticatedAt: Date.now() as Instant,
        ...which,
      },
    },
    { name: 'child-installed', spiIn: 700, ...which },
    { name: 'closed', why: 'deleted by peer', remote, connection: undefined, ...which },
  ];
}
