/** Schedules that once broke something, as small as they could be made; what each was about. */
import type { Schedule, Setting } from './schedule.ts';

const plain: Setting = {
  ...{ seed: 0, pods: 1, clients: 1, connected: false, cookies: false, cbc: false, nat: false },
  ...{ otherGroup: false, rekeys: false, revokeOnDelete: false, fragments: false, mobike: true, postQuantum: false },
};
const connect = { wait: 0, do: 'connect', client: 0 } as const;
const still = { wait: 0, do: 'weather', lost: 0, doubled: 0, late: 0 } as const;

export const found: Readonly<Record<string, Schedule>> = {
  'a session whose hand-off gave it an SPI of another pod is resumed elsewhere': {
    setting: { ...plain, pods: 3 },
    actions: [connect, { wait: 3, do: 'spread', how: 'per port' }],
  },
  'a ticket of an SA that was rekeyed meanwhile gives its address away twice': {
    setting: plain,
    actions: [connect, { wait: 4, do: 'want', client: 0, side: 'client', want: 'rekeyIke' }, connect, { ...connect, wait: 3 }],
  },
  'a ticket given while both sides rekey': {
    setting: { ...plain, otherGroup: true, rekeys: true },
    actions: [connect, { wait: 6, do: 'revoke', what: 'identity', client: 0 }, { wait: 0, do: 'jump', ms: 1_300_000 }],
  },
  'the old SA is deleted by the peer before our own rekey of it was answered': {
    setting: plain,
    actions: [
      connect,
      { wait: 3, do: 'weather', lost: 0, doubled: 0, late: 6 },
      { wait: 1, do: 'want', client: 0, side: 'both', want: 'rekeyIke' },
      { wait: 0, do: 'want', client: 0, side: 'client', want: 'rekeyIke' },
    ],
  },
  'the gateway asks something before its IKE_AUTH response is whole': {
    setting: { ...plain, seed: 7238, fragments: true },
    actions: [
      { wait: 0, do: 'weather', lost: 30, doubled: 0, late: 0 },
      connect,
      { wait: 3, do: 'jump', ms: 1_300_000 },
      { ...still, wait: 1 },
      { wait: 0, do: 'restart', pod: 0 },
    ],
  },
  'the peer uses the SA of its rekey while ours is not answered': {
    setting: { ...plain, seed: 18452, clients: 2, cookies: true, rekeys: true, fragments: true },
    actions: [
      { wait: 0, do: 'weather', lost: 0, doubled: 10, late: 339 },
      connect,
      { wait: 1_087, do: 'jump', ms: 1_300_000 },
      { wait: 90, do: 'rotate' },
      { wait: 1, do: 'want', client: 0, side: 'client', want: 'rekeyIke' },
    ],
  },
  'two SAs are due at once, and the first changes the second': {
    setting: { ...plain, rekeys: true },
    actions: [
      connect,
      { wait: 4, do: 'roam', client: 0 },
      { wait: 0, do: 'jump', ms: 1_300_000 },
      { ...still, wait: 7_372 },
      { wait: 0, do: 'jump', ms: 400_000 },
      connect,
    ],
  },
  'a NAT rebinds while both sides rekey': {
    setting: { ...plain, nat: true },
    actions: [
      connect,
      { wait: 4, do: 'want', client: 0, side: 'both', want: 'rekeyIke' },
      { wait: 0, do: 'rebind', client: 0 },
      { ...still, wait: 354 },
      { ...connect, wait: 149 },
    ],
  },
  'an SA that has just been decoded has another place among those of its client': {
    setting: plain,
    actions: [
      connect,
      { wait: 0, do: 'weather', lost: 0, doubled: 0, late: 193 },
      { wait: 27_511, do: 'want', client: 0, side: 'both', want: 'rekeyIke' },
      connect,
      { wait: 269, do: 'revoke', what: 'identity', client: 0 },
      { wait: 4, do: 'want', client: 0, side: 'client', want: 'rekeyIke' },
      { wait: 85, do: 'want', client: 0, side: 'client', want: 'rekeyIke' },
      { ...connect, wait: 1 },
    ],
  },
  'the key of an answer is revoked while it brings a session to another pod': {
    setting: { ...plain, pods: 2, connected: true },
    actions: [
      { wait: 0, do: 'spread', how: 'one pod' },
      { wait: 0, do: 'roam', client: 0 },
      { wait: 2, do: 'revoke', what: 'key', client: 0 },
      { ...still, wait: 4_000 },
    ],
  },
};
