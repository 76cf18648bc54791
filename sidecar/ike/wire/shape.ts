/** A message's grammar as a value, in the notation of the RFC: which payloads it must, may and may repeatedly carry. */
import { ProtocolError } from '../error.ts';
import type { Kind, Payload, PayloadOf } from './payload.ts';

/** How often a payload occurs in a message: `KE` exactly once, `KE?` at most once, `N*` any number of times. */
export type Slot = Kind | `${Kind}?` | `${Kind}*`;

type Filled<S extends Slot> = S extends `${infer K extends Kind}*`
  ? readonly PayloadOf<K>[]
  : S extends `${infer K extends Kind}?`
    ? PayloadOf<K> | undefined
    : S extends Kind
      ? PayloadOf<S>
      : never;

interface Field {
  readonly name: string;
  readonly kind: string;
  readonly many: boolean;
  readonly optional: boolean;
}

/**
 * Turns a list of payloads into a record, or refuses the message. Their order does not matter and what the grammar does not
 * name is ignored (RFC 7296 §2.5, §3.10.1: nobody is refused for having said more than was asked).
 */
export function shape<const S extends Readonly<Record<string, Slot>>>(slots: S) {
  const fields = Object.entries(slots).map(([name, slot]) => parse(name, slot));
  return (payloads: readonly Payload[]): { readonly [F in keyof S]: Filled<S[F]> } => {
    const record: Record<string, unknown> = {};
    for (const field of fields) record[field.name] = fill(field, payloads);
    return record as never;
  };
}

function parse(name: string, slot: Slot): Field {
  const many = slot.endsWith('*');
  const optional = slot.endsWith('?');
  return { name, kind: many || optional ? slot.slice(0, -1) : slot, many, optional };
}

function fill({ kind, many, optional }: Field, payloads: readonly Payload[]): Payload | readonly Payload[] | undefined {
  if (many) return payloads.filter((payload) => payload.kind === kind);
  const at = payloads.findIndex((payload) => payload.kind === kind);
  if (at === -1 && !optional) throw ProtocolError.malformed(`no ${kind} payload`);
  if (payloads.findLastIndex((payload) => payload.kind === kind) !== at)
    throw ProtocolError.malformed(`more than one ${kind} payload`);
  return payloads[at];
}
