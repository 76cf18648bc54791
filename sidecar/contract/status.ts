/** `/status`: what a gateway pod says of itself on the pod network. Generations and counts only: no secret, no identity, no content of a file. */

import type { Problem } from './agent-protocol.ts';
import { ringGeneration, ringId } from './key-ring-yaml.ts';
import { type Parsed, Place } from './problem.ts';
import { boolean, integer, list, maybe, oneOf, optional, readWhole, record, required, text } from './schema.ts';

export interface GatewayStatus {
  readonly version: string;
  /** namespace/name of the gateway; undefined before a configuration was loaded. */
  readonly name: string | undefined;
  readonly ordinal: number;
  /** Hex of 16 random bytes, new at every start. */
  readonly incarnation: string;
  readonly ready: boolean;
  /** Why it is not ready. */
  readonly reasons: readonly string[];
  /** What is in force; undefined before the first good file. Whether libreswan's form of AUTH is accepted deviates from RFC 5723 §4.3.3, so it shows. */
  readonly config: { readonly generation: number; readonly acceptLibreswanAuth: boolean } | undefined;
  readonly keyRing:
    | {
        readonly ringId: string;
        readonly generation: number;
        /** Undefined when the pod does not know its UID (see acknowledgement.ts). */
        readonly acknowledgement: string | undefined;
      }
    | undefined;
  readonly sessions: number;
  readonly halfOpen: number;
  /** Files that were refused, with the number of problems in each; the problems themselves are in the pod's log. */
  readonly faults: readonly { readonly file: string; readonly problems: number }[];
  /** What carries packets now: `none` before an agent said which, or while none is there, where one is asked for. */
  readonly dataplane: 'kernel' | 'userspace' | 'none';
  /** Of the agent: what keeps it from its work (then the pod is not ready) or is not as it should be. Undefined: nothing is known of an agent. */
  readonly dataplaneProblems: readonly Problem[] | undefined;
}

export const encodeStatus = (status: GatewayStatus): string => `${JSON.stringify(shape.write(status))}\n`;

/** `source` names the pod in problems. What it holds was written by whoever answered at the pod's address. */
export function parseStatus(source: string, json: string): Parsed<GatewayStatus> {
  const place = new Place(source);
  const value = parseJson(json);
  if (value === undefined) place.refuse('not JSON', 'look at the log of the pod');
  return value === undefined ? { ok: false, problems: place.problems } : readWhole(shape, value, place);
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

// An agent's sentence with what it is about before it.
const line = text('a line of text', /^[^\n\r]{0,2048}$/, 'one line');
const count = integer(0, Number.MAX_SAFE_INTEGER);

/** Pods of the next version may say more. */
const open = 'ignored';

const config = record<NonNullable<GatewayStatus['config']>>(
  { generation: required(count), acceptLibreswanAuth: optional(boolean, false) },
  open,
);
const fault = record<GatewayStatus['faults'][number]>({ file: required(line), problems: required(count) }, open);
const problem = record<Problem>({ severity: required(oneOf('blocking', 'warning')), text: required(line) }, open);
const MOST_PROBLEMS = 64;
const keyRing = record<NonNullable<GatewayStatus['keyRing']>>(
  {
    ringId: required(ringId),
    generation: required(ringGeneration),
    acknowledgement: maybe(text('an acknowledgement', /^[0-9a-f]{64}$/, '64 hexadecimal digits')),
  },
  open,
);

const shape = record<GatewayStatus>(
  {
    version: required(line),
    name: maybe(line),
    ordinal: required(integer(0, 254)),
    incarnation: required(text('an incarnation', /^[0-9a-f]{32}$/, '32 hexadecimal digits')),
    ready: required(boolean),
    reasons: required(list(line, { max: 64 })),
    config: maybe(config),
    keyRing: maybe(keyRing),
    sessions: required(count),
    halfOpen: required(count),
    faults: required(list(fault)),
    dataplane: required(oneOf('kernel', 'userspace', 'none')),
    dataplaneProblems: maybe(list(problem, { max: MOST_PROBLEMS })),
  },
  open,
);
