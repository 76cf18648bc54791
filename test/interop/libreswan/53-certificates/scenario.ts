/** libreswan with certificates on both sides; its tickets carry what is needed to refuse them once the certificate is revoked. */
import assert from 'node:assert/strict';
import { type KeyKind, pkcs12 } from '../../lab/authority.ts';
import { GATEWAY_ID } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

const KINDS: Readonly<Record<'rsa' | 'ecdsa', KeyKind>> = { rsa: 'rsa-2048', ecdsa: 'ecdsa-p256' };

export const scenario: Scenario = {
  title: 'certificates of RSA and ECDSA, resumed; revoked: the session ends, the ticket is refused, and so is the full exchange',
  async run(lab) {
    const root = await lab.authority('root', 'rsa-2048');
    const between = await root.intermediate('between');
    const own = {
      rsa: await between.issue({ name: 'gateway-rsa', kind: KINDS.rsa, names: [`DNS:${GATEWAY_ID}`], usage: 'server' }),
      ecdsa: await between.issue({ name: 'gateway-ecdsa', kind: KINDS.ecdsa, names: [`DNS:${GATEWAY_ID}`], usage: 'server' }),
    };
    const client = {
      rsa: await between.issue({ name: 'rsa', kind: KINDS.rsa, names: ['email:rsa@example.com'], usage: 'client' }),
      ecdsa: await between.issue({ name: 'ecdsa', kind: KINDS.ecdsa, names: ['email:ecdsa@example.com'], usage: 'client' }),
    };
    const files = await Promise.all(Object.values(client).map((one) => pkcs12(lab.folder, one, between.certificate)));
    const peer = await lab.libreswan('initiator', { own: files, roots: { root: root.certificate } });

    for (const [ordinal, kind] of (['rsa', 'ecdsa'] as const).entries()) {
      const gateway = await lab.gateway({
        ordinal,
        certificate: { chain: own[kind].certificate + between.certificate, key: own[kind].key },
        authorities: { staff: { 'ca.crt': root.certificate, 'between.crl': await between.list() } },
        settings: { authentication: [{ name: 'staff', method: 'certificate', authorities: ['staff'] }] },
      });
      await lab.step(`${kind}: connects`, async () => {
        await peer.add(kind);
        await peer.up(kind);
        const { kind: how, identity } = await gateway.session();
        assert.deepEqual([how, identity], ['full', `${kind}@example.com`]);
      });
      await lab.step(`${kind}: resumes, with its identity and address`, async () => {
        await peer.suspend(kind);
        assert.match(await peer.up(kind), /authenticated peer using authby=session-resume/);
        const [before, after] = [await gateway.session(1), await gateway.session(2)];
        assert.deepEqual([after.kind, after.identity, after.inner], ['resumed', before.identity, before.inner]);
      });
      const revoke = async (): Promise<void> => {
        await between.revoke(client[kind]);
        const loaded = gateway.log({ msg: 'configured' }).length;
        gateway.writeAuthority('staff', 'between.crl', await between.list());
        await gateway.logged({ msg: 'configured' }, loaded + 1);
      };
      if (kind === 'rsa')
        await lab.step(`${kind}: revoked while away: the ticket is refused, and so is the full exchange`, async () => {
          await peer.suspend(kind);
          await revoke();
          const said = await peer.fails(kind);
          assert.match(said, /TICKET_NACK[\s\S]*AUTHENTICATION_FAILED/);
          await gateway.logged({ event: 'ticket-refused', reason: 'revoked-certificate' });
          assert.match(JSON.stringify(gateway.log({ event: 'refused', notify: 'AUTHENTICATION_FAILED' })), /revoked/);
          await peer.must('whack', '--delete', '--name', kind);
        });
      else
        await lab.step(`${kind}: revoked while connected: the session ends`, async () => {
          await revoke();
          await gateway.logged({ event: 'closed', why: 'certificate revoked' });
          await peer.says(/which received Delete\/Notify/);
        });
      await lab.step(`${kind}: no session is left`, async () => {
        assert.equal((await gateway.status()).sessions, 0);
      });
      await gateway.kill();
    }
  },
};
