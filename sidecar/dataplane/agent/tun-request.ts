/** Asks the agent for descriptors of its TUN device, on a connection of its own. */
import { closeSync } from 'node:fs';
import { AGENT_PROTOCOL } from '../../contract/agent-protocol.ts';
import { FrameReader } from './frame-reader.ts';
import { decodeFromAgent, encodeToAgent } from './messages.ts';
import { loadUnixSyscalls, type Received, type UnixSyscalls } from './unix-syscalls.ts';

export interface TunRequest {
  /** Of the agent's socket. */
  readonly path: string;
  readonly queues: number;
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 10_000;

/** One for each queue; the caller closes them. @throws Error that says why there are none, as the agent says it. */
export async function requestTun({ path, queues, timeoutMs = TIMEOUT_MS }: TunRequest): Promise<readonly number[]> {
  const syscalls = await loadUnixSyscalls();
  const fd = syscalls.connect(path);
  const descriptors: number[] = [];
  try {
    syscalls.send(fd, encodeToAgent({ type: 'tun', protocol: AGENT_PROTOCOL, queues }), []);
    const late = performance.now() + timeoutMs;
    const frames = new FrameReader();
    for (;;) {
      const received = await next(syscalls, fd, late);
      descriptors.push(...received.descriptors);
      if (received.bytes.length === 0) throw new Error('the agent closed the connection without an answer; see its log');
      for (const body of frames.read(received.bytes)) return accepted(decodeFromAgent(body), descriptors, queues);
    }
  } catch (error) {
    descriptors.forEach((one) => void closeSync(one));
    throw new Error(`no TUN device of the agent: ${error instanceof Error ? error.message : error}`, { cause: error });
  } finally {
    closeSync(fd);
  }
}

function accepted(
  message: ReturnType<typeof decodeFromAgent>,
  descriptors: readonly number[],
  queues: number,
): readonly number[] {
  if (message.type === 'health') throw new Error(message.problems[0]?.text ?? 'the agent gives no reason');
  if (message.type !== 'tun') throw new Error(`the agent answered with ${message.type}`);
  if (descriptors.length === queues && message.descriptors === queues) return descriptors;
  throw new Error(`${descriptors.length} descriptors came, ${message.descriptors} were announced, ${queues} were asked for`);
}

/** What arrives next. @throws Error after the time, given in the clock of `performance`. */
async function next(syscalls: UnixSyscalls, fd: number, late: number): Promise<Received> {
  for (;;) {
    try {
      return syscalls.receive(fd);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && (error.code === 'EAGAIN' || error.code === 'EINTR'))) throw error;
    }
    await readable(syscalls, fd, late - performance.now());
  }
}

function readable(syscalls: UnixSyscalls, fd: number, ms: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error('the agent does not answer; see its log')), Math.max(0, ms));
  const watch = syscalls.watch(fd, () => resolve());
  return promise.finally(() => {
    clearTimeout(timer);
    watch.close();
  });
}
