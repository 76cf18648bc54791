/** How sibling pods put questions to each other (hand-off): one HTTP POST of sealed words that only holders of the key ring can make or read. */
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { Bytes } from '../ike/wire/bytes.ts';
import { closed, listening, portOf } from '../process/listening.ts';
import { type Clock, systemClock } from './clock.ts';
import { PeerAdmission } from './peer-admission.ts';

/** A client waits for its answer meanwhile, and sends again after half a second. */
const ANSWER_MS = 500;
const LONGEST_BYTES = 64 * 1024;
const PATH = '/peer';

/** Puts questions to one sibling, so that one that is gone costs the others nothing; what goes wrong on the way is an answer that does not come. */
export class PeerClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16, maxFreeSockets: 4, timeout: 30_000 });
  readonly #admission: PeerAdmission;

  constructor(clock: Clock = systemClock()) {
    this.#admission = new PeerAdmission(clock);
  }

  async ask(address: string, port: number, bytes: Bytes): Promise<Bytes | undefined> {
    if (!this.#admission.enter()) return undefined;
    const reply = await this.#post(address, port, bytes);
    this.#admission.leave(reply !== undefined);
    return reply?.words;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Undefined: nobody was heard. Never rejects. */
  async #post(host: string, port: number, bytes: Bytes): Promise<Reply | undefined> {
    const signal = AbortSignal.timeout(ANSWER_MS);
    try {
      return await exchange({ host, port, signal, agent: this.#agent }, bytes);
    } catch (error) {
      // The sibling may close an idle connection in the moment in which we use it; the question is bound to its nonce, so it may be repeated.
      if (!(error instanceof StaleConnection) || signal.aborted) return undefined;
      return exchange({ host, port, signal, agent: false }, bytes).catch(() => undefined);
    }
  }
}

/** `words` undefined: it lives, and has nothing to say. */
interface Reply {
  readonly words: Bytes | undefined;
}

class StaleConnection extends Error {}

interface Target {
  readonly host: string;
  readonly port: number;
  readonly signal: AbortSignal;
  readonly agent: Agent | false;
}

/** @throws Error when it does not come to a whole response in time. */
function exchange(target: Target, bytes: Bytes): Promise<Reply> {
  const { promise, resolve, reject } = Promise.withResolvers<Reply>();
  const headers = { 'content-type': 'application/octet-stream', 'content-length': bytes.length };
  const asking = request({ ...target, method: 'POST', path: PATH, headers }, (response) => {
    if (response.statusCode === 200) body(response).then((words) => resolve({ words }), reject);
    else {
      response.resume();
      resolve({ words: undefined });
    }
  });
  asking.on('error', (error) => reject(asking.reusedSocket ? new StaleConnection(error.message) : error));
  asking.end(bytes);
  return promise;
}

export interface PeerServer {
  readonly port: number;
  close(): Promise<void>;
}

type Answer = (bytes: Bytes) => Bytes | undefined | Promise<Bytes | undefined>;

/** `answer` gets the sealed words and gives the sealed answer, or undefined for silence. @throws Error that explains why the port cannot be had. */
export async function startPeerServer(host: string | undefined, port: number, answer: Answer): Promise<PeerServer> {
  const server = createServer(LIMITS, (asked, response) => {
    void reply(asked, response, answer);
  });
  server.maxConnections = 256;
  await listening(server, host, port);
  return { port: portOf(server), close: () => closed(server) };
}

const LIMITS = { requestTimeout: 2_000, headersTimeout: 2_000, keepAliveTimeout: 60_000, maxHeaderSize: 4_096 } as const;

async function reply(asked: IncomingMessage, response: ServerResponse, answer: Answer): Promise<void> {
  if (asked.method !== 'POST' || asked.url !== PATH) {
    response.writeHead(404, { connection: 'close' }).end();
    return;
  }
  const question = await body(asked).catch(() => undefined);
  if (!question) {
    response.destroy();
    return;
  }
  const given = await answer(question);
  if (given) response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': given.length }).end(given);
  else response.writeHead(204).end();
}

/** @throws Error for one that is too long or breaks off. */
async function body(message: IncomingMessage): Promise<Bytes> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of message) {
    length += part.length;
    if (length > LONGEST_BYTES) throw new Error('too long');
    parts.push(part);
  }
  return new Uint8Array(Buffer.concat(parts));
}
