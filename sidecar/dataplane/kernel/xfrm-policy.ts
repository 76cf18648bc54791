/** Messages about policies: which packets go through which child: XFRM_MSG_NEWPOLICY, UPDPOLICY, DELPOLICY, GETPOLICY (struct xfrm_userpolicy_info). */
import type { Bytes } from '../../ike/wire/bytes.ts';
import { decodeAttributes, type Message, NLM_F_DUMP, type Request, viewOf } from './netlink-message.ts';
import { markAttributes } from './xfrm-state.ts';
import {
  ADDRESS_BYTES,
  decodeMark,
  familyOf,
  getAddress,
  getSelector,
  ID_BYTES,
  IPPROTO_ESP,
  LIFETIME_BYTES,
  NO_LIMITS,
  putAddress,
  putLimits,
  putSelector,
  SELECTOR_BYTES,
  USED_BYTES,
  XFRM_MODE_TUNNEL,
  XfrmAttribute,
  XfrmMessage,
  type XfrmSelector,
} from './xfrm-structures.ts';

/** For what arrives for this machine, for what leaves, for what is passed on. */
export const DIRECTIONS = { in: 0, out: 1, fwd: 2 } as const;
export type Direction = keyof typeof DIRECTIONS;

export interface PolicyId {
  readonly direction: Direction;
  readonly selector: XfrmSelector;
  readonly mark: number;
}

export interface XfrmPolicy extends PolicyId {
  /** Of several that apply, the lowest counts. */
  readonly priority: number;
  readonly template: Template;
}

/** The SA that a packet must have come through or goes through. */
export interface Template {
  readonly reqid: number;
  /** Undefined for what arrives: any SA of the reqid, from wherever its peer is now. */
  readonly through?: { readonly source: Bytes; readonly destination: Bytes; readonly spi: number } | undefined;
}

const POLICY_BYTES = 168;
const PRIORITY_AT = SELECTOR_BYTES + LIFETIME_BYTES + USED_BYTES;
const DIRECTION_AT = PRIORITY_AT + 8;
const TEMPLATE_BYTES = 64;
const TEMPLATE_SOURCE_AT = ID_BYTES + 4;
const TEMPLATE_REQID_AT = TEMPLATE_SOURCE_AT + ADDRESS_BYTES;
const POLICY_ID_BYTES = 64;
const NOWHERE = new Uint8Array(4);

/** Refused with EEXIST where there is one for the same packets. */
export const newPolicy = (policy: XfrmPolicy): Request => policyRequest(XfrmMessage.NEWPOLICY, policy);

/** In the place of one for the same packets, at once; or a new one. */
export const updatePolicy = (policy: XfrmPolicy): Request => policyRequest(XfrmMessage.UPDPOLICY, policy);

export function deletePolicy({ selector, direction, mark }: PolicyId): Request {
  const fixed = new Uint8Array(POLICY_ID_BYTES);
  putSelector(viewOf(fixed), 0, selector);
  fixed[SELECTOR_BYTES + 4] = DIRECTIONS[direction];
  return { type: XfrmMessage.DELPOLICY, flags: 0, fixed, attributes: markAttributes(mark) };
}

export const dumpPolicies = (): Request => ({
  type: XfrmMessage.GETPOLICY,
  flags: NLM_F_DUMP,
  fixed: new Uint8Array(0),
  attributes: [],
});

/** Undefined for another message, and for a policy that names not one SA: none of ours. */
export function decodePolicy({ type, body }: Message): XfrmPolicy | undefined {
  if (type !== XfrmMessage.NEWPOLICY || body.length < POLICY_BYTES) return undefined;
  const view = viewOf(body);
  const attributes = decodeAttributes(body.subarray(POLICY_BYTES));
  const template = attributes.get(XfrmAttribute.TMPL);
  const direction = (['in', 'out', 'fwd'] as const)[view.getUint8(DIRECTION_AT)];
  if (template?.length !== TEMPLATE_BYTES || direction === undefined) return undefined;
  return {
    direction,
    selector: getSelector(view, 0),
    mark: decodeMark(attributes.get(XfrmAttribute.MARK)),
    priority: view.getUint32(PRIORITY_AT, true),
    template: decodeTemplate(template),
  };
}

function policyRequest(type: number, policy: XfrmPolicy): Request {
  const fixed = new Uint8Array(POLICY_BYTES);
  const view = viewOf(fixed);
  putSelector(view, 0, policy.selector);
  putLimits(view, SELECTOR_BYTES, NO_LIMITS);
  view.setUint32(PRIORITY_AT, policy.priority, true);
  view.setUint8(DIRECTION_AT, DIRECTIONS[policy.direction]);
  const template = { type: XfrmAttribute.TMPL, value: encodeTemplate(policy) };
  return { type, flags: 0, fixed, attributes: [template, ...markAttributes(policy.mark)] };
}

/** struct xfrm_user_tmpl */
function encodeTemplate({ selector, template: { reqid, through } }: XfrmPolicy): Bytes {
  const bytes = new Uint8Array(TEMPLATE_BYTES);
  const view = viewOf(bytes);
  putAddress(view, 0, through?.destination ?? NOWHERE);
  view.setUint32(16, through?.spi ?? 0);
  view.setUint8(20, IPPROTO_ESP);
  view.setUint16(ID_BYTES, through ? familyOf(through.destination) : selector.family, true);
  putAddress(view, TEMPLATE_SOURCE_AT, through?.source ?? NOWHERE);
  view.setUint32(TEMPLATE_REQID_AT, reqid, true);
  view.setUint8(TEMPLATE_REQID_AT + 4, XFRM_MODE_TUNNEL);
  // Any algorithm: the SA that the reqid names has what was negotiated.
  for (const at of [8, 12, 16]) view.setUint32(TEMPLATE_REQID_AT + at, 0xffff_ffff, true);
  return bytes;
}

function decodeTemplate(bytes: Bytes): Template {
  const view = viewOf(bytes);
  const [spi, family] = [view.getUint32(16), view.getUint16(ID_BYTES, true)];
  const reqid = view.getUint32(TEMPLATE_REQID_AT, true);
  if (spi === 0) return { reqid };
  return {
    reqid,
    through: { spi, destination: getAddress(view, 0, family), source: getAddress(view, TEMPLATE_SOURCE_AT, family) },
  };
}
