/** What FreeRADIUS says of time: Session-Timeout (RFC 2865 §5.27) becomes AUTH_LIFETIME (RFC 4478), Acct-Interim-Interval (RFC 2869 §5.16) is kept. */
import assert from 'node:assert/strict';
import { INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';
import { accountsOf, fullChain, of } from '../full-chain.ts';

export const scenario: Scenario = {
  title: 'Session-Timeout makes strongSwan authenticate anew; interim accounts as often as FreeRADIUS wants them',
  roots: ['strongswan', 'freeradius'],
  limitMs: 110_000,
  async run(lab) {
    const { radius, gateway, strongSwan } = await fullChain(lab);
    const peer = await strongSwan();
    await peer.initiate('password');
    await lab.ping('10.8.0.77', INNER.ipv4);

    await lab.step(
      'the user comes anew in time, each time asked for by FreeRADIUS; nobody has a Class, and all is counted',
      async () => {
        await peer.initiate('brief');
        await peer.says(/received AUTH_LIFETIME of 5s, scheduling reauthentication in 3s/);
        await radius.says(/Login OK: \[brief/, 2);
        await lab.eventually(async () => {
          const [first, ...rest] = accountsOf(radius, 'brief');
          assert.ok(rest.some((entry) => entry.get('Acct-Status-Type') === 'Stop'));
          assert.equal(first?.get('Class'), undefined);
          const [anew] = rest.filter((entry) => entry.get('Acct-Status-Type') === 'Start');
          assert.ok(anew);
          assert.notEqual(anew.get('Acct-Multi-Session-Id'), first?.get('Acct-Multi-Session-Id'));
        });
        await peer.must('--terminate', '--ike', 'brief');
      },
    );
    await lab.step('interim accounts of a session of another user, about a minute after its start', async () => {
      await radius.says(/Acct-Status-Type = Interim-Update/, 1, 75_000);
      await lab.eventually(async () => assert.equal(accountsOf(radius, 'alice').length, 2));
      const [start, interim] = accountsOf(radius, 'alice');
      assert.deepEqual(of(interim, 'Acct-Status-Type', 'Class'), ['Interim-Update', '0x676f6c64, 0x00ff']);
      assert.deepEqual(of(interim, 'Acct-Session-Id', 'Class'), of(start, 'Acct-Session-Id', 'Class'));
      assert.equal(interim?.get('Acct-Input-Packets'), '3');
      assert.ok(Number(interim?.get('Acct-Input-Octets')) >= 3 * 84);
    });
    assert.equal((await gateway.status()).sessions, 1);
  },
};
