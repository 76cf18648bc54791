/** EAP through the gateway to FreeRADIUS (RFC 3579): what it grants is given, and what a session used is told to it (RFC 2866). */
import assert from 'node:assert/strict';
import { INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';
import { accountsOf, fullChain, of } from '../full-chain.ts';

const CLASSES = '0x676f6c64, 0x00ff';

export const scenario: Scenario = {
  title: 'strongSwan through the gateway to FreeRADIUS: EAP-MSCHAPv2, EAP-TLS, a granted address, accounts; refused alike',
  roots: ['strongswan', 'freeradius'],
  async run(lab) {
    const { radius, gateway, strongSwan } = await fullChain(lab, { first: 'dead' });
    const peer = await strongSwan();

    await lab.step('EAP-MSCHAPv2, past a server that is dead: the address that FreeRADIUS names', async () => {
      await peer.initiate('password');
      await peer.says(/EAP method EAP_MSCHAPV2 succeeded, MSK established/);
      await radius.says(/Login OK: \[alice/);
      const { identity, inner } = await gateway.session();
      assert.deepEqual([identity, inner.ipv4], ['alice', '10.8.0.77']);
      await lab.ping(inner.ipv4, INNER.ipv4);
      assert.equal(await gateway.metric('radius_server_passed_over', { server: `${radius.address}:9` }), 1);
      assert.ok((await gateway.metric('radius_requests_total', { outcome: 'accept' })) >= 1);
    });
    await lab.step('its accounts: start, and a stop with each Class and what the pings used', async () => {
      await peer.must('--terminate', '--ike', 'password');
      await lab.eventually(async () => assert.equal(accountsOf(radius, 'alice').length, 2));
      const [start, stop] = accountsOf(radius, 'alice');
      assert.deepEqual([of(start, 'Acct-Status-Type'), of(stop, 'Acct-Status-Type')], [['Start'], ['Stop']]);
      const same = ['Acct-Session-Id', 'Acct-Multi-Session-Id', 'Class', 'Framed-IP-Address', 'NAS-Identifier'];
      assert.deepEqual(of(start, ...same), of(stop, ...same));
      assert.deepEqual(of(stop, 'Class', 'Framed-IP-Address', 'Calling-Station-Id', 'Acct-Terminate-Cause'), [
        ...[CLASSES, '10.8.0.77', '10.96.0.1', 'User-Request'],
      ]);
      for (const name of ['Acct-Input-Octets', 'Acct-Output-Octets']) assert.ok(Number(stop?.get(name)) >= 3 * 84, name);
      for (const name of ['Acct-Input-Packets', 'Acct-Output-Packets']) assert.equal(stop?.get(name), '3', name);
    });
    await lab.step('EAP-TLS: of the server itself the gateway knows nothing', async () => {
      await peer.initiate('tls');
      await peer.says(/EAP method EAP_TLS succeeded, MSK established/);
      const { identity, inner } = await gateway.session(2);
      assert.equal(identity, 'client.example');
      await lab.ping(inner.ipv4, INNER.ipv4);
      await peer.must('--terminate', '--ike', 'tls');
      await lab.eventually(async () => assert.equal(accountsOf(radius, 'client.example').length, 2));
    });
    await lab.step('a wrong password and an unknown user: EAP-Failure, and no session', async () => {
      for (const name of ['wrong-password', 'unknown']) assert.notEqual((await peer.tryToInitiate(name)).status, 0);
      await peer.says(/received EAP_FAILURE/, 2);
      assert.equal(radius.count(/Login incorrect/), 2);
      await lab.eventually(async () => {
        const { sessions, halfOpen } = await gateway.status();
        assert.deepEqual({ sessions, halfOpen }, { sessions: 0, halfOpen: 0 });
      });
      assert.equal(radius.accounting().length, 4);
    });
  },
};
