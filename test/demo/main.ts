/** `npm run demo`: a session outlives its pod, step by step, each step asserted. `--json` prints one event per line instead. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Demo } from './demo.ts';
import { Report } from './report.ts';
import { story } from './story.ts';

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, keep: { type: 'boolean', default: false } },
});
const directory = mkdtempSync(join(tmpdir(), 'rekindle-demo-'));
const report = new Report(values.json);
const demo = new Demo(join(import.meta.dirname, '../../examples/quickstart'), directory, report);
for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)
  process.once(signal, () => void demo.stop().then(() => process.exit(status)));

const passed = await demo.run(story);
await demo.stop();
if (values.keep || !passed) report.say(`keys, objects and logs are kept in ${directory}`);
else rmSync(directory, { recursive: true });
process.exit(passed ? 0 : 1);
