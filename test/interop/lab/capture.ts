/** Captures of scenarios as test vectors: the IKE messages that went over the cable, and the keys that open them. See test/vectors/README.md. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const MAX_DATAGRAMS = 20;
const ETHERNET_HEADER = 14;
const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const UDP = 17;
const IKE_PORT = 500;
const NAT_PORT = 4500;
const MARKER_LENGTH = 4;

/** One SA a line, in a scenario's folder. */
export const KEYS_FILE = 'ike-keys.jsonl';

export interface RecordedSa {
  readonly spiI: string;
  readonly spiR: string;
  readonly suite: {
    readonly encr: number;
    readonly keyBits: number;
    readonly integ: number;
    readonly prf: number;
    readonly ke: number;
  };
  /** In hex. With IKE_INTERMEDIATE the same SPIs come again with further keys. */
  readonly keys: Readonly<Record<'d' | 'ai' | 'ar' | 'ei' | 'er' | 'pi' | 'pr', string>>;
}

export interface RecordedDatagram {
  readonly from: 'initiator' | 'responder';
  /** Of the responder. */
  readonly port: number;
  /** Without the marker of port 4500 (RFC 3948 §2.2). */
  readonly hex: string;
}

export interface Recording {
  readonly source: string;
  readonly licence: string;
  readonly sas: readonly RecordedSa[];
  readonly datagrams: readonly RecordedDatagram[];
}

/** From `capture.pcap` and KEYS_FILE in the scenario's folder. */
export function writeRecording(
  into: string,
  { name, folder, peers }: { name: string; folder: string; peers: readonly string[] },
): void {
  const keys = join(folder, KEYS_FILE);
  const datagrams = datagramsOf(readFileSync(join(folder, 'capture.pcap'))).slice(0, MAX_DATAGRAMS);
  const seen = new Set(datagrams.map(({ hex }) => hex.slice(0, 16)));
  const lines = existsSync(keys)
    ? readFileSync(keys, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
    : [];
  const sas: RecordedSa[] = lines.map((line) => JSON.parse(line)).filter(({ spiI }) => seen.has(spiI));
  const source = `${peers.join(', ')} and this project, scenario ${name}; npm run test:interop -- --record`;
  const recording: Recording = { source, licence: 'Apache-2.0', sas, datagrams };
  mkdirSync(into, { recursive: true });
  writeFileSync(join(into, `${name.replace('/', '-')}.json`), textOf(recording));
}

/** One SA and one datagram a line. */
function textOf({ source, licence, sas, datagrams }: Recording): string {
  const lines = (items: readonly object[]): string => items.map((item) => `    ${JSON.stringify(item)}`).join(',\n');
  return `{
  "source": ${JSON.stringify(source)},
  "licence": ${JSON.stringify(licence)},
  "sas": [
${lines(sas)}
  ],
  "datagrams": [
${lines(datagrams)}
  ]
}
`;
}

/** IKE alone, in order; ESP, keepalives and repetitions are left out. */
function datagramsOf(pcap: Buffer): RecordedDatagram[] {
  const seen = new Set<string>();
  return packetsOf(pcap).flatMap((packet) => {
    const udp = udpOf(packet);
    const datagram = udp && ikeOf(udp);
    if (!datagram || seen.has(datagram.hex)) return [];
    seen.add(datagram.hex);
    return [datagram];
  });
}

/** The format of tcpdump on a little-endian machine: https://www.tcpdump.org/manpages/pcap-savefile.5.html. */
function packetsOf(pcap: Buffer): Buffer[] {
  const packets: Buffer[] = [];
  for (let at = 24; at + 16 <= pcap.length; ) {
    const length = pcap.readUInt32LE(at + 8);
    packets.push(pcap.subarray(at + 16, at + 16 + length));
    at += 16 + length;
  }
  return packets;
}

function udpOf(packet: Buffer): Buffer | undefined {
  const ip = packet.subarray(ETHERNET_HEADER);
  const type = packet.length > ETHERNET_HEADER ? packet.readUInt16BE(12) : 0;
  if (type === IPV4 && ip[9] === UDP && (ip.readUInt16BE(6) & 0x3fff) === 0) return ip.subarray(((ip[0] ?? 0) & 15) * 4);
  if (type === IPV6 && ip[6] === UDP) return ip.subarray(40);
  return undefined;
}

function ikeOf(udp: Buffer): RecordedDatagram | undefined {
  const [from, to] = [udp.readUInt16BE(0), udp.readUInt16BE(2)];
  const body = udp.subarray(8, udp.readUInt16BE(4));
  const ports = [from, to];
  if (ports.includes(IKE_PORT)) return recorded(from, to, body);
  const isIke = ports.includes(NAT_PORT) && body.length > MARKER_LENGTH && body.readUInt32BE(0) === 0;
  return isIke ? recorded(from, to, body.subarray(MARKER_LENGTH)) : undefined;
}

const INITIATOR_FLAG_AT = 19;

/** By the flag of the header: who began the SA. */
const recorded = (from: number, to: number, body: Buffer): RecordedDatagram => ({
  from: ((body[INITIATOR_FLAG_AT] ?? 0) & 8) !== 0 ? 'initiator' : 'responder',
  port: [IKE_PORT, NAT_PORT].includes(to) ? to : from,
  hex: body.toString('hex'),
});
