/** How a process ends, by its exit code and its last words. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';

const PROGRAM = join(import.meta.dirname, 'ending-program.ts');

/** Runs it, sends a signal at each of its lines while there are any left, answers the exit code and all it said. */
async function end(how: string, ...signals: NodeJS.Signals[]): Promise<{ code: number | null; said: string }> {
  const child = spawn(process.execPath, [PROGRAM, how], { stdio: ['ignore', 'pipe', 'ignore'] });
  let said = '';
  child.stdout.on('data', (data) => {
    said += data;
    const [signal] = signals.splice(0, 1);
    if (signal) child.kill(signal);
  });
  const code = await new Promise<number | null>((resolve) => void child.once('close', resolve));
  return { code, said };
}

describe('a process', { timeout: 20_000, concurrency: 2 }, () => {
  it('ends with 0 after SIGTERM or SIGINT', async () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) assert.equal((await end('well', signal)).code, 0);
  });

  it('ends with 1 at the second signal', async () => {
    const { code, said } = await end('hangs', 'SIGTERM', 'SIGINT');
    assert.deepEqual([code, /exit at once/.test(said)], [1, true]);
  });

  it('ends with 1 when closing takes too long or fails', async () => {
    const hung = await end('hangs', 'SIGTERM');
    assert.deepEqual([hung.code, /shutdown took too long/.test(hung.said)], [1, true]);
    const failed = await end('fails', 'SIGTERM');
    assert.deepEqual([failed.code, /cannot close/.test(failed.said)], [1, true]);
  });

  it('ends with 70 after an exception that nobody expected, and says so', async () => {
    for (const how of ['throws', 'rejects']) {
      const { code, said } = await end(how);
      assert.deepEqual([code, /unexpected exception/.test(said)], [70, true], how);
    }
  });
});
