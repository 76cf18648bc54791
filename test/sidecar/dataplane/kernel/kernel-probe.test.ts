/** What is taken for the kernel's word, with an `ip` that is none. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { probeKernel } from '../../../../sidecar/dataplane/kernel/kernel-probe.ts';
import { scratch } from '../../../harness/scratch.ts';

describe('asking the kernel for ESP', { timeout: 30_000 }, () => {
  const path = process.env['PATH'];
  afterEach(() => {
    process.env['PATH'] = path;
  });
  const answering = (script: string): void => {
    const folder = scratch().path;
    writeFileSync(join(folder, 'ip'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    process.env['PATH'] = `${folder}:${path}`;
  };

  it('believes a refusal', async () => {
    answering('echo "RTNETLINK answers: Protocol not supported" >&2; exit 2');
    const probed = await probeKernel();
    assert.match(probed.esp ? '' : probed.reason, /Protocol not supported; this kernel has no ESP/);
  });

  it('takes nothing for a refusal that may be another way in a moment: children that the kernel carries would be removed', async () => {
    for (const script of ['kill -9 $$', 'echo "RTNETLINK answers: Cannot allocate memory" >&2; exit 2']) {
      answering(script);
      await assert.rejects(probeKernel(), /the kernel could not be asked/);
    }
  });
});
