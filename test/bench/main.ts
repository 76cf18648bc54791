/**
 * `npm run bench`: one gateway process on one core over loopback UDP, and a client process (this one) that costs less than it.
 *
 *     npm run bench -- [--runs N] [--handshakes N] [--window N] [--crypto NAME] [--proof psk|certificate] [--profile FOLDER]
 *
 * With a folder, the gateway leaves there what it spent its time on, for Chrome's developer tools.
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { makeCertificates } from './certificates.ts';
import { GatewayProcess } from './gateway-process.ts';
import { type Counted, Load, WITH_SHARED_KEY } from './load.ts';
import { coreBytesPerSession } from './memory.ts';
import { medianOf, printTable, type Row } from './table.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    handshakes: { type: 'string', default: '3000' },
    window: { type: 'string', default: '64' },
    crypto: { type: 'string', default: 'auto' },
    proof: { type: 'string', default: 'psk' },
    profile: { type: 'string' },
  },
});
const [runs, handshakes, window] = [Number(values.runs), Number(values.handshakes), Number(values.window)];

const certificates = values.proof === 'certificate' ? makeCertificates() : undefined;

const choice = {
  users: handshakes * (runs + 1),
  crypto: values.crypto,
  certificates: certificates?.gateway,
  node: values.profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', values.profile],
};
const gateway = await GatewayProcess.start(choice);
/** It has the same key ring, and never saw the sessions that come back to it: as after the death of a pod. */
const other = await GatewayProcess.start({ ...choice, place: { address: '127.0.0.2', within: [] } });
const manner = { ...WITH_SHARED_KEY, proof: certificates?.clients ?? 'psk' } as const;
const load = await Load.open(gateway.endpoint, window, manner);
const otherLoad = await Load.open(other.endpoint, window, manner);
const measured: Record<'full' | 'resumed' | 'elsewhere', Measured[]> = { full: [], resumed: [], elsewhere: [] };
const rss: { readonly sessions: number; readonly bytes: number }[] = [];

try {
  for (let run = 0; run <= runs; run++) {
    const first = run * handshakes;
    certificates?.clients.prepare(first, handshakes);
    const full = await measure(gateway, () => load.full(first, handshakes));
    const resumed = await measure(gateway, () => load.resume(first, handshakes));
    for (const [user, held] of load.tickets) otherLoad.tickets.set(user, held);
    const elsewhere = await measure(other, () => otherLoad.resume(first, handshakes));
    // The first round compiles the code and fills the pools; it is not counted.
    if (run === 0) continue;
    measured.full.push(full);
    measured.resumed.push(resumed);
    measured.elsewhere.push(elsewhere);
    rss.push({ sessions: (run + 1) * handshakes, bytes: gateway.rssBytes() });
    process.stderr.write(
      `run ${run} of ${runs}: ${Math.round(full.perSecond)} full, ${Math.round(resumed.perSecond)} resumed, ${Math.round(elsewhere.perSecond)} resumed elsewhere per second\n`,
    );
  }
} finally {
  load.close();
  otherLoad.close();
  await Promise.all([gateway.stop(), other.stop()]);
}

const [cpu] = cpus();
process.stdout.write(`
machine   ${cpu?.model ?? 'unknown'}, ${cpus().length} cores; node ${process.version}; gateway pinned to one core, client to another
load      ${handshakes} handshakes a run, ${window} under way at a time, ${runs} runs after one that is not counted; medians
suite     AES-256-GCM, PRF-HMAC-SHA2-256, X25519; ${certificates ? 'ECDSA P-256 certificates under an intermediate' : 'PSK'}; one child, inner address and ticket each; crypto: ${values.crypto}
`);
printTable([
  row('full handshake', measured.full),
  row('resumption while the session lives', measured.resumed),
  row('resumption at another pod', measured.elsewhere),
]);
process.stdout.write(`
memory    ${bytes(slope(rss))} of resident memory per established session (slope over the runs)
          ${bytes(await coreBytesPerSession(5_000))} of heap per established session in the core alone (5 000 sessions, after garbage collection)
`);

interface Measured extends Counted {
  readonly perSecond: number;
  readonly gatewayUs: number;
  readonly clientUs: number;
}

async function measure(at: GatewayProcess, run: () => Promise<Counted>): Promise<Measured> {
  const [began, gatewayBefore, clientBefore] = [performance.now(), at.cpuUs(), process.cpuUsage()];
  const counted = await run();
  const seconds = (performance.now() - began) / 1_000;
  const client = process.cpuUsage(clientBefore);
  return {
    ...counted,
    perSecond: counted.done / seconds,
    gatewayUs: (at.cpuUs() - gatewayBefore) / counted.done,
    clientUs: (client.user + client.system) / counted.done,
  };
}

function row(what: string, all: readonly Measured[]): Row {
  const median = (of: (one: Measured) => number): string => Math.round(medianOf(all.map(of))).toLocaleString('en');
  return {
    '': what,
    'per second': median((one) => one.perSecond),
    'gateway µs CPU each': median((one) => one.gatewayUs),
    'client µs CPU each': median((one) => one.clientUs),
    'per second and core': median((one) => 1_000_000 / one.gatewayUs),
    repeated: median((one) => one.repeated),
  };
}

/** Between the first and the last counted run, so that what the process needs anyway is not in it. */
function slope(points: typeof rss): number {
  const [first, last] = [points[0], points.at(-1)];
  return first && last && last.sessions > first.sessions
    ? (last.bytes - first.bytes) / (last.sessions - first.sessions)
    : Number.NaN;
}

function bytes(value: number): string {
  return Number.isNaN(value) ? 'unknown (one run only)' : `${(value / 1024).toFixed(1)} KiB`;
}
