/** Children installed and removed through an agent by a program that stands in for the sidecar. */
import { join } from 'node:path';
import type { AgentPod } from './agent-pod.ts';

const PROGRAM = join(import.meta.dirname, 'taken-over.ts');
const LIMIT_MS = 60_000;

export interface Batch {
  /** So many were carried out, in so many ms. */
  readonly ok: number;
  readonly ms: number;
  /** Of the first one that was not. */
  readonly reason?: string;
}

export function childrenThroughAgent(pod: AgentPod, count: number): { installed(): Promise<Batch>; removed(): Promise<Batch> } {
  const program = pod.unprivileged('children', [process.execPath, PROGRAM, pod.agent.socket, 'children', String(count)]);
  const batch = async (what: 'installed' | 'removed'): Promise<Batch> => {
    const pick = (line: string): Batch | undefined => (line.startsWith(`{"${what}"`) ? JSON.parse(line)[what] : undefined);
    const [found] = await program.wait(pick, 1, { what, withinMs: LIMIT_MS });
    if (!found) throw new Error(`no batch was ${what}`);
    return found;
  };
  return {
    installed: () => batch('installed'),
    removed() {
      program.signal('SIGUSR1');
      return batch('removed');
    },
  };
}
