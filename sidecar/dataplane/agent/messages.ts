/** Messages between sidecar and agent as bytes: a length and CBOR, checked whole, refused with the first field that is wrong. */
import { AGENT_PROTOCOL, type FromAgent, MAX_FRAME_BYTES, type ToAgent } from '../../contract/agent-protocol.ts';
import { fromAgent, toAgent } from '../../contract/agent-protocol-shapes.ts';
import { Place, REFUSED, type Refused } from '../../contract/problem.ts';
import { isMapping, type Shape } from '../../contract/schema.ts';
import { ProtocolError } from '../../ike/error.ts';
import type { Bytes } from '../../ike/wire/bytes.ts';
import { decodeCbor, encodeCbor, type Plain } from '../../ike/wire/cbor.ts';

export const LENGTH_BYTES = 4;

/** What the other side sent is no message: the connection is of no more use. */
export class NoMessage extends Error {
  override readonly name = 'NoMessage';
}

/** The other side speaks another version: one of the two is from another image. */
export class OtherProtocol extends Error {
  override readonly name = 'OtherProtocol';

  constructor(other: number) {
    super(
      `the other side speaks version ${other} of the protocol between sidecar and agent, this one ${AGENT_PROTOCOL}: run both from one image`,
    );
  }
}

/** One frame. @throws RangeError for a message that is longer than a frame may be. */
export const encodeToAgent = (message: ToAgent): Bytes => frame(toAgent, message);
export const encodeFromAgent = (message: FromAgent): Bytes => frame(fromAgent, message);

/** `body`: a frame without its length. @throws NoMessage that names the field, and repeats no key; OtherProtocol */
export const decodeToAgent = (body: Bytes): ToAgent => decode(toAgent, body);
export const decodeFromAgent = (body: Bytes): FromAgent => decode(fromAgent, body);

function frame<T>(shape: Shape<T>, message: T): Bytes {
  const body = encodeCbor(shape.write(message) as Plain);
  if (body.length > MAX_FRAME_BYTES) throw new RangeError(`a message of ${body.length} bytes; split it`);
  const bytes = new Uint8Array(LENGTH_BYTES + body.length);
  new DataView(bytes.buffer).setUint32(0, body.length);
  bytes.set(body, LENGTH_BYTES);
  return bytes;
}

function decode<T>(shape: Shape<T>, body: Bytes): T {
  const value = plain(body);
  // Whatever else another version changes, its first messages have this field.
  const protocol = isMapping(value) && Object.hasOwn(value, 'protocol') ? value['protocol'] : AGENT_PROTOCOL;
  if (typeof protocol === 'number' && protocol !== AGENT_PROTOCOL) throw new OtherProtocol(protocol);
  const read = shape.read(value, new FirstFault());
  if (read === REFUSED) throw new NoMessage('message: refused');
  return read;
}

function plain(body: Bytes): Plain {
  try {
    return decodeCbor(body);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new NoMessage(`message: ${error.message}`, { cause: error });
  }
}

/** Ends with the first problem: who sends a megabyte of mistakes gets one sentence. Where it was is put into words only then. */
class FirstFault extends Place {
  readonly #steps: Steps | undefined;

  constructor(steps?: Steps) {
    super(MESSAGE, '', NONE);
    this.#steps = steps;
  }

  override at(step: string | number): FirstFault {
    return new FirstFault({ above: this.#steps, step });
  }

  override refuse(message: string, remedy: string): Refused {
    const { path } = placeOf(this.#steps);
    throw new NoMessage(`${[MESSAGE, ...(path === '' ? [] : [path])].join(': ')}: ${message}; ${remedy}`);
  }
}

interface Steps {
  readonly above: Steps | undefined;
  readonly step: string | number;
}

const MESSAGE = 'message';
const NONE: never[] = [];

const placeOf = (steps: Steps | undefined): Place => (steps ? placeOf(steps.above).at(steps.step) : new Place(MESSAGE));
