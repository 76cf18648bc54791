/** Everything that `npm run fuzz` tries, by name. A batch takes a second or so. */
import type { IRawProperty } from 'fast-check';
import * as laws from '../harness/laws/laws.ts';
import * as model from '../harness/model/properties.ts';
import * as agentMessages from './agent-messages.ts';
import * as authentication from './authentication.ts';
import * as captures from './captures.ts';
import * as certificates from './certificates.ts';
import * as decoder from './decoder.ts';
import * as esp from './esp.ts';
import * as files from './files.ts';
import * as sealed from './sealed.ts';

export interface Target {
  readonly property: () => IRawProperty<unknown>;
  /** Runs of a batch: part of what a seed means. */
  readonly batch: number;
}

const target = <T>(batch: number, property: () => IRawProperty<T>): Target => ({
  batch,
  property: property as () => IRawProperty<unknown>,
});

export const targets: Readonly<Record<string, Target>> = {
  model: target(60, () => model.promises(60)),
  'model-moved': target(30, () => model.moves(60)),
  'model-repeated': target(20, () => model.repeats(60)),
  'law-authentic': target(2_000, () => laws.authenticMessages()),
  'law-captured': target(2_000, captures.said),
  'law-eap': target(1_000, laws.eapAnswers),
  'law-clear': target(2_000, laws.clearMessages),
  'law-forged': target(2_000, laws.forgedMessages),
  'law-mangled': target(3_000, laws.mangledDatagrams),
  'law-first': target(1_500, laws.firstRequests),
  decoder: target(20_000, decoder.messages),
  captures: target(20_000, captures.datagrams),
  'captured-payloads': target(5_000, captures.payloads),
  certificates: target(5_000, certificates.reading),
  'certificate-chains': target(1_000, certificates.judging),
  eap: target(10_000, authentication.eapPackets),
  passwords: target(3_000, authentication.passwords),
  radius: target(10_000, authentication.radiusPackets),
  payloads: target(5_000, decoder.payloadChains),
  messages: target(5_000, decoder.wellFormed),
  cbor: target(20_000, decoder.cbor),
  tickets: target(10_000, sealed.ticketOpening),
  words: target(3_000, sealed.words),
  'moved-sas': target(3_000, sealed.movedSas),
  'gateway-yaml': target(4_000, files.gatewayYaml),
  'key-ring-yaml': target(5_000, files.keyRingYaml),
  esp: target(2_000, esp.packets),
  'agent-messages': target(3_000, agentMessages.messages),
  'agent-fields': target(3_000, agentMessages.fields),
};
