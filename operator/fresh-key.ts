/** Key material, made anew for every plan: a plan that needs none lets it go. */
import { randomBytes, randomUUID } from 'node:crypto';
import { Secret } from '../sidecar/contract/secret.ts';
import type { FreshKey } from './plan/plan.ts';

export const freshKey = (): FreshKey => ({ id: randomBytes(8), secret: new Secret(randomBytes(32)), ringId: randomUUID() });
