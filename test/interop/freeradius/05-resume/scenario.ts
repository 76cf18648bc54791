/** A session that FreeRADIUS admitted goes on at another gateway by its ticket: accounts go on with it, and FreeRADIUS is not asked again. */
import assert from 'node:assert/strict';
import { GATEWAY_ID, INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';
import { accountsOf, fullChain, of } from '../full-chain.ts';

export const scenario: Scenario = {
  title: 'our client by EAP-MSCHAPv2 through FreeRADIUS resumes at another gateway: the same Class, address and multi-session',
  roots: ['freeradius'],
  async run(lab) {
    const { radius, gateway, options, anchor } = await fullChain(lab);
    const password = lab.clientFile('password', 'correct horse battery staple\n');
    const client = lab.clientAs(
      [
        '--eap-user',
        'alice',
        '--eap-password-file',
        password,
        '--remote-id',
        GATEWAY_ID,
        '--ca',
        lab.clientFile('ca.pem', anchor),
      ],
      ...['--ping', INNER.ipv4, '--interval', '50ms', '--dead-peer', '1s'],
    );

    await lab.step('admitted by FreeRADIUS, with the address that it names', async () => {
      const [first] = await client.tells('established');
      assert.equal(first?.kind, 'full');
      const { identity, inner } = await gateway.session();
      assert.deepEqual([identity, inner.ipv4], ['alice', '10.8.0.77']);
      await client.tells('ping', { times: 3 });
      await client.tells('ticket');
      await lab.eventually(async () => assert.equal(accountsOf(radius, 'alice').length, 1));
    });
    const logins = radius.count(/Login OK/);
    const second = await lab.step('its gateway is killed; the next one, which never saw it, takes its ticket', async () => {
      await gateway.kill();
      const next = await lab.gateway({ ...options, ordinal: 1 });
      const [, again] = await client.tells('established', { times: 2 });
      assert.equal(again?.kind, 'resumed');
      const { kind, identity, inner } = await next.session();
      assert.deepEqual([kind, identity, inner.ipv4], ['resumed', 'alice', '10.8.0.77']);
      await client.tells('ping', { times: client.told('ping').length + 3 });
      assert.equal(radius.count(/Login OK/), logins);
      return next;
    });
    await lab.step('accounts: a start of the same multi-session with the same Class; its stop', async () => {
      await client.stop();
      await second.logged({ event: 'closed', why: 'deleted by peer' });
      await lab.eventually(async () => assert.equal(accountsOf(radius, 'alice').length, 3));
      const [first, again, stop] = accountsOf(radius, 'alice');
      assert.deepEqual(
        [first, again, stop].flatMap((entry) => of(entry, 'Acct-Status-Type')),
        ['Start', 'Start', 'Stop'],
      );
      const same = ['Acct-Multi-Session-Id', 'Class', 'Framed-IP-Address'];
      assert.deepEqual(of(again, ...same), of(first, ...same));
      assert.notEqual(again?.get('Acct-Session-Id'), first?.get('Acct-Session-Id'));
      assert.deepEqual(of(stop, 'Acct-Session-Id', ...same), of(again, 'Acct-Session-Id', ...same));
      assert.ok(Number(stop?.get('Acct-Input-Packets')) >= 3);
    });
  },
};
