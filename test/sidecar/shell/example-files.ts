/** A small gateway on loopback, as files. */
import { encodeKeyRing } from '../../../sidecar/contract/key-ring-yaml.ts';
import { Secret } from '../../../sidecar/contract/secret.ts';

/** Ports that the system chooses. */
export const exampleConfig = (generation: number): string => `generation: ${generation}
name: default/office
audience: 6f1c
identity: vpn.example.com
listen: { ikePort: 0, natPort: 0, httpPort: 0, peerPort: 0 }
pools:
  - cidr: 10.8.0.0/24
routes: [0.0.0.0/0]
...
`;

/** Key number `generation` is active. */
export const exampleRing = (generation: number): string =>
  encodeKeyRing({
    ringId: 'ring-1',
    generation,
    keys: [
      {
        id: new Uint8Array(8).fill(generation),
        algorithm: 'XChaCha20-Poly1305',
        state: 'active',
        secret: new Secret(new Uint8Array(32).fill(generation)),
        createdAt: 0,
        openUntil: undefined,
      },
    ],
    revoked: [],
    revokedBefore: 0,
  });
