/** The Unix socket that the agent listens at: put in its place whole, with its mode, and never in the place of somebody else's. */
import { once } from 'node:events';
import { chmod, lstat, mkdtemp, rename, rm, unlink } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { dirname, join } from 'node:path';

export interface AgentSocketOptions {
  readonly path: string;
  /** Permission bits of the file. */
  readonly mode: number;
  readonly accept: (socket: Socket) => void;
}

export interface AgentSocket {
  /** Done when nobody can connect any more; connections that there are go on. */
  close(): Promise<void>;
}

/** Connections that wait to be accepted. */
const BACKLOG = 16;
/** struct sockaddr_un holds no longer path (unix(7)). */
const LONGEST_PATH = 107;

/** @throws Error with a remedy. */
export async function listenAt({ path, mode, accept }: AgentSocketOptions): Promise<AgentSocket> {
  await makeWay(path);
  // Nobody but us can reach it before it has its mode.
  const nursery = await mkdtemp(join(dirname(path), '.agent-')).catch((error: unknown) => {
    throw new Error(`cannot make a socket in ${dirname(path)}: ${codeOf(error)}; give this process the right to write there`);
  });
  try {
    const born = join(nursery, 's');
    const surplus = Math.max(Buffer.byteLength(born), Buffer.byteLength(path)) - LONGEST_PATH;
    if (surplus > 0) throw new Error(`${path}: too long for a socket; choose a path that is shorter by ${surplus} bytes`);
    const server = createServer(accept);
    server.listen({ path: born, backlog: BACKLOG });
    await once(server, 'listening');
    // A connection that cannot be accepted, for instance because no descriptor is left, costs itself and not the process.
    server.on('error', () => {});
    await chmod(born, mode);
    const { ino } = await lstat(born);
    await rename(born, path);
    return {
      async close() {
        // One that has taken our place in the meantime stays.
        if ((await lstat(path).catch(() => undefined))?.ino === ino) await unlink(path).catch(() => {});
        server.close();
      },
    };
  } finally {
    await rm(nursery, { recursive: true, force: true });
  }
}

/** @throws Error when what is there is no socket, or somebody listens. */
async function makeWay(path: string): Promise<void> {
  const found = await lstat(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new Error(`${path}: ${codeOf(error)}; give this process the right to see it`, { cause: error });
  });
  if (!found) return;
  if (!found.isSocket()) throw new Error(`${path} is there and no socket; choose another path, or remove it`);
  if (await answers(path)) throw new Error(`another agent serves ${path}; stop that one, or choose another path`);
}

async function answers(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch (error) {
    // Nobody listens: what a process left behind that was killed.
    if (codeOf(error) === 'ECONNREFUSED' || codeOf(error) === 'ENOENT') return false;
    throw new Error(`${path}: ${codeOf(error)}; remove it if nothing uses it`, { cause: error });
  } finally {
    socket.destroy();
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error ? ('code' in error ? String(error.code) : error.message) : String(error);
