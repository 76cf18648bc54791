/** Stands in for the sidecar where a test is about pods and not about IKE: serves probes and /status of its files, acknowledges rings, ends on SIGTERM. */
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { acknowledgement } from '../../sidecar/contract/acknowledgement.ts';
import { parseGatewayConfig } from '../../sidecar/contract/gateway-yaml.ts';
import { parseKeyRing } from '../../sidecar/contract/key-ring-yaml.ts';
import { encodeStatus } from '../../sidecar/contract/status.ts';

const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: {
    config: text,
    'key-ring': text,
    'psk-dir': text,
    ordinal: text,
    'pod-uid': text,
    address: text,
    'http-address': text,
  },
});
const { config: configFile = '', 'key-ring': ringFile = '', ordinal = '0', 'pod-uid': podUid = '' } = values;
const incarnation = randomBytes(16).toString('hex');

function config() {
  const parsed = parseGatewayConfig('gateway.yaml', readFileSync(configFile, 'utf8'));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.value;
}

function status(): string {
  const { generation, name } = config();
  const ring = parseKeyRing('key-ring.yaml', readFileSync(ringFile, 'utf8'));
  if (!ring.ok) throw new Error(JSON.stringify(ring.problems));
  return encodeStatus({
    version: 'stand-in',
    name,
    ordinal: Number(ordinal),
    incarnation,
    ready: true,
    reasons: [],
    config: { generation, acceptLibreswanAuth: false },
    keyRing: {
      ringId: ring.value.ringId,
      generation: ring.value.generation,
      acknowledgement: acknowledgement(ring.value, podUid),
    },
    sessions: 0,
    halfOpen: 0,
    faults: [],
    dataplane: 'none',
    dataplaneProblems: undefined,
  });
}

console.log(`pod ${podUid} begins, ring ${createHash('sha256').update(readFileSync(ringFile)).digest('hex').slice(0, 8)}`);
createServer((request, response) => response.end(request.url === '/status' ? status() : 'ok')).listen(
  config().listen.httpPort,
  values['http-address'],
);
process.on('SIGTERM', () => process.exit(0));
