/** Resources as they come out of a cluster: checked once by its schema, typed from here on. */
import type { TicketKey } from '../crds/v1alpha1/ticketkey.ts';
import type { VpnGateway } from '../crds/v1alpha1/vpngateway.ts';
import type { Manifest } from './plan/plan.ts';

export type Resource = VpnGateway | TicketKey;
export type ResourceKind = Resource['kind'];

export const RESOURCE_KINDS: readonly ResourceKind[] = ['VpnGateway', 'TicketKey'];

/** The API server, or in the local mode `validate`, has held the object against the schema and filled in its defaults. */
export const isGateway = (object: Manifest | undefined): object is Manifest & VpnGateway => object?.kind === 'VpnGateway';
export const isTicketKey = (object: Manifest | undefined): object is Manifest & TicketKey => object?.kind === 'TicketKey';
