/** A RADIUS server that is silent costs the logins that wait for it, and nobody else anything. */
import assert from 'node:assert/strict';
import type { Scenario } from '../../lab/scenario.ts';
import { fullChain } from '../full-chain.ts';

export const scenario: Scenario = {
  title: 'while FreeRADIUS is silent a login waits and fails, and clients with certificates come in as fast as ever',
  roots: ['strongswan', 'freeradius'],
  async run(lab) {
    const { radius, gateway, strongSwan } = await fullChain(lab);
    const peer = await strongSwan();
    const connect = async (nth: number): Promise<number> => {
      await peer.initiate('certificate');
      const { durationMs } = (await gateway.logged({ event: 'established', identity: 'client.example' }, nth))[nth - 1] ?? {};
      await peer.must('--terminate', '--ike', 'certificate');
      return Number(durationMs);
    };

    const usual = await lab.step('as fast as ever', () => connect(1));
    await lab.step('FreeRADIUS falls silent in a login; certificates meanwhile', async () => {
      radius.freeze();
      const waiting = peer.tryToInitiate('password');
      await peer.says(/EAP_IDENTITY|generating IKE_AUTH request 2 \[ EAP\/RES\/ID \]/);
      const times = [await connect(2), await connect(3), await connect(4)];
      assert.equal((await gateway.status()).halfOpen, 1);
      lab.note(`with a certificate ${usual} ms, while RADIUS is silent ${times.join(', ')} ms`);
      assert.ok(Math.min(...times) < 2 * usual + 50, `${times} after ${usual}`);
      assert.notEqual((await waiting).status, 0);
      assert.equal(await gateway.metric('radius_requests_total', { outcome: 'silent' }), 1);
    });
    await lab.step('it is found again, and the next login comes in', async () => {
      radius.thaw();
      await gateway.logged({ msg: 'the RADIUS server answers again' });
      await peer.initiate('password');
      assert.equal((await gateway.logged({ event: 'established', identity: 'alice' })).length, 1);
    });
  },
};
