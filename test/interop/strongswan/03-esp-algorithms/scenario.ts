/** Every encryption and integrity algorithm of ESP that we have, with traffic. */
import { INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

/** Name of connection and child, and what strongSwan says it has agreed on. */
const PROPOSALS: Readonly<Record<string, string>> = {
  aes256gcm16: 'AES_GCM_16_256',
  aes128gcm16: 'AES_GCM_16_128',
  chacha20poly1305: 'CHACHA20_POLY1305',
  'aes256-sha256': 'AES_CBC_256/HMAC_SHA2_256_128',
  'aes128-sha256': 'AES_CBC_128/HMAC_SHA2_256_128',
  'aes256-sha384': 'AES_CBC_256/HMAC_SHA2_384_192',
  'aes128-sha512': 'AES_CBC_128/HMAC_SHA2_512_256',
};

export const scenario: Scenario = {
  title: 'ESP with AES-GCM, ChaCha20-Poly1305 and AES-CBC with HMAC, each with pings',
  async run(lab) {
    const gateway = await lab.gateway();
    const peer = await lab.strongSwan('initiator');
    for (const [index, [name, agreed]] of Object.entries(PROPOSALS).entries()) {
      await lab.step(name, async () => {
        await peer.initiate(name);
        await peer.says(new RegExp(`selected proposal: ESP:${agreed}/NO_EXT_SEQ`));
        const { inner } = await gateway.session(index + 1);
        await lab.ping(inner.ipv4, INNER.ipv4);
        await peer.must('--terminate', '--ike', name);
      });
    }
  },
};
