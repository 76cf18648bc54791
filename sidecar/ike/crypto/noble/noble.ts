/** The provider in TypeScript: @noble/hashes, @noble/ciphers, @noble/curves. */
import type { Provider } from '../provider.ts';
import { ciphers } from './ciphers.ts';
import { groups } from './groups.ts';
import { hashing } from './hashing.ts';
import { signing } from './signing.ts';

export const noble: Provider = { name: 'noble', hashing, ciphers, groups, signing };
