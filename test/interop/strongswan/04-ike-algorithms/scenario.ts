/** Every key exchange of IKE that we have, and with them every encryption, integrity algorithm and pseudorandom function. */
import { INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

/** Name of connection and child, and what strongSwan says it has agreed on. */
const PROPOSALS: Readonly<Record<string, string>> = {
  'aes256gcm16-prfsha256-x25519': 'AES_GCM_16_256/PRF_HMAC_SHA2_256/CURVE_25519',
  'aes128gcm16-prfsha384-ecp256': 'AES_GCM_16_128/PRF_HMAC_SHA2_384/ECP_256',
  'chacha20poly1305-prfsha512-ecp384': 'CHACHA20_POLY1305/PRF_HMAC_SHA2_512/ECP_384',
  'aes256-sha256-prfsha256-ecp521': 'AES_CBC_256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/ECP_521',
  'aes128-sha384-prfsha384-modp2048': 'AES_CBC_128/HMAC_SHA2_384_192/PRF_HMAC_SHA2_384/MODP_2048',
  'aes256-sha512-prfsha512-modp3072': 'AES_CBC_256/HMAC_SHA2_512_256/PRF_HMAC_SHA2_512/MODP_3072',
  'aes256gcm16-prfsha256-modp4096': 'AES_GCM_16_256/PRF_HMAC_SHA2_256/MODP_4096',
};

export const scenario: Scenario = {
  title: 'IKE with x25519, ecp256, ecp384, ecp521, modp2048, modp3072, modp4096 and all ciphers, hashes and PRFs',
  async run(lab) {
    const gateway = await lab.gateway();
    const peer = await lab.strongSwan('initiator');
    for (const [index, [name, agreed]] of Object.entries(PROPOSALS).entries()) {
      await lab.step(name, async () => {
        await peer.initiate(name);
        await peer.says(new RegExp(`selected proposal: IKE:${agreed}`));
        const { inner } = await gateway.session(index + 1);
        await lab.ping(inner.ipv4, INNER.ipv4);
        await peer.must('--terminate', '--ike', name);
      });
    }
  },
};
