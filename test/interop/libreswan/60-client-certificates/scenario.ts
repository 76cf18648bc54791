/** Our client with certificates on both sides to libreswan, and their tickets (RFC 5723); no data flows there. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type KeyKind, pkcs12 } from '../../lab/authority.ts';
import { GATEWAY_ID } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

const KINDS: Readonly<Record<'rsa' | 'ecdsa', KeyKind>> = { rsa: 'rsa-2048', ecdsa: 'ecdsa-p256' };

export const scenario: Scenario = {
  title:
    'our client with certificates of RSA and ECDSA; a ticket of theirs falls back to them; that of another certificate is not used',
  async run(lab) {
    const root = await lab.authority('root', 'rsa-2048');
    const between = await root.intermediate('between');
    const ca = lab.clientFile('root.pem', root.certificate);
    const issue = async (kind: 'rsa' | 'ecdsa') => ({
      gateway: await between.issue({ name: `gateway-${kind}`, kind: KINDS[kind], names: [`DNS:${GATEWAY_ID}`], usage: 'server' }),
      client: await between.issue({ name: kind, kind: KINDS[kind], names: [`email:${kind}@example.com`], usage: 'client' }),
    });
    const made = { rsa: await issue('rsa'), ecdsa: await issue('ecdsa') };
    const files = await Promise.all(Object.values(made).map(({ gateway }) => pkcs12(lab.folder, gateway, between.certificate)));
    const peer = await lab.libreswan('responder', { own: files, roots: { root: root.certificate } });
    const flagsOf = (kind: 'rsa' | 'ecdsa'): readonly string[] => {
      const { certificate, key } = made[kind].client;
      const [cert, keyFile] = [
        lab.clientFile(`${kind}.crt`, certificate + between.certificate),
        lab.clientFile(`${kind}.key`, key),
      ];
      return ['--cert', cert, '--key', keyFile, '--ca', ca, '--remote-id', GATEWAY_ID];
    };
    const ticketFile = (kind: string): string => join(lab.folder, `${kind}.ticket`);

    for (const kind of ['rsa', 'ecdsa'] as const) {
      await peer.add(kind);
      await lab.step(`${kind}: a full handshake, a ticket`, async () => {
        const client = lab.clientAs(flagsOf(kind), '--ticket-file', ticketFile(kind), '--suspend-on-exit');
        const [established] = await client.tells('established');
        assert.deepEqual([established?.kind, established?.gatewayProof], ['full', 'certificate']);
        await client.tells('ticket');
        await client.stop();
      });
      if (kind === 'rsa')
        await lab.step('the ticket of another certificate is not used', async () => {
          await peer.add('ecdsa');
          const client = lab.clientAs(
            flagsOf('ecdsa'),
            '--id',
            'ecdsa@example.com',
            '--ticket-file',
            ticketFile('rsa'),
            '--once',
          );
          const [warning] = await client.tells('warning');
          assert.match(warning?.message ?? '', /ticket not used/);
          await client.tells('connecting');
          await client.stop();
        });
      // As in 36-client-full-instead: libreswan wants its own form of AUTH after a resumption.
      else
        await lab.step(`${kind}: the ticket opens, AUTH is refused, certificates follow in the same attempt`, async () => {
          const client = lab.clientAs(flagsOf(kind), '--ticket-file', ticketFile(kind));
          await client.tells('resuming');
          await peer.says(/sent IKE_SESSION_RESUME response/);
          const [established] = await client.tells('established');
          assert.deepEqual([established?.kind, established?.gatewayProof], ['full', 'certificate']);
          assert.equal(client.told('nacked').length, 1);
          await client.stop();
        });
    }
  },
};
