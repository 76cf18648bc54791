/** The provider in C: OpenSSL, through node:crypto. */
import type { Provider } from '../provider.ts';
import { ciphers } from './ciphers.ts';
import { groups } from './groups.ts';
import { hashing } from './hashing.ts';
import { signing } from './signing.ts';

export const openssl: Provider = { name: 'openssl', hashing, ciphers, groups, signing };
