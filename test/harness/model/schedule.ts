/** What may befall clients and pods, as data: fast-check makes it up, makes it smaller and prints it. */
import fc from 'fast-check';

/** What is true of a whole run. */
export interface Setting {
  readonly seed: number;
  readonly pods: number;
  readonly clients: number;
  /** Everybody has a session when it begins. */
  readonly connected: boolean;
  /** Every first request is asked for a cookie. */
  readonly cookies: boolean;
  readonly cbc: boolean;
  /** Clients sit behind NATs. */
  readonly nat: boolean;
  /** Clients begin with a group that the gateway refuses with INVALID_KE_PAYLOAD. */
  readonly otherGroup: boolean;
  /** Lifetimes that rekey by themselves, on both sides. */
  readonly rekeys: boolean;
  readonly revokeOnDelete: boolean;
  /** IKE_AUTH and rekeys come in fragments. */
  readonly fragments: boolean;
  /** Clients can change their address (RFC 4555). */
  readonly mobike: boolean;
  /** ML-KEM after the first key exchange: IKE_INTERMEDIATE, and IKE_FOLLOWUP_KE in every rekey (RFC 9370). */
  readonly postQuantum: boolean;
}

export const SIDES = ['client', 'gateway', 'both'] as const;
export const WANTS = [
  'rekeyIke',
  'rekeyChild',
  'newChild',
  'deleteChild',
  'liveness',
  'requestTicket',
  'deleteIke',
  'redirect',
] as const;
export const SPREADS = ['one pod', 'per port', 'per flow'] as const;

export type Want = (typeof WANTS)[number];
export type Side = (typeof SIDES)[number];

/** Numbers of clients and pods are taken modulo how many there are. */
export type Action =
  /** With its ticket if it holds one; a session that it still has is forgotten without a word. */
  | { readonly do: 'connect'; readonly client: number }
  /** `keep`: its ticket, against RFC 5723 §6.2. */
  | { readonly do: 'leave'; readonly client: number; readonly tell: boolean; readonly keep: boolean }
  /** From another address from now on: it moves its session there if it can, which may be at another pod; else only a new connection can make use of it. */
  | { readonly do: 'roam'; readonly client: number }
  /** Its NAT gives it another port. */
  | { readonly do: 'rebind'; readonly client: number }
  | { readonly do: 'want'; readonly client: number; readonly side: Side; readonly want: Want }
  /** Its packets arrive, and are answered. */
  | { readonly do: 'traffic'; readonly client: number }
  /** The data plane of a side loses a child of its session. */
  | { readonly do: 'lose'; readonly client: number; readonly side: Side }
  /** The data plane of a pod goes, or comes back. */
  | { readonly do: 'carry'; readonly pod: number; readonly available: boolean }
  | { readonly do: 'kill'; readonly pod: number }
  /** Starts a pod that is dead; kills one that lives and starts it with an empty memory. */
  | { readonly do: 'restart'; readonly pod: number }
  | { readonly do: 'shut down'; readonly pod: number; readonly tell: boolean }
  | { readonly do: 'spread'; readonly how: (typeof SPREADS)[number] }
  /** Percent of datagrams lost and doubled, milliseconds that one may be late. */
  | { readonly do: 'weather'; readonly lost: number; readonly doubled: number; readonly late: number }
  /** The operator takes its next step in the rotation of keys, if it may. */
  | { readonly do: 'rotate' }
  /** A pod loads what the operator has published. */
  | { readonly do: 'load'; readonly pod: number }
  | { readonly do: 'revoke'; readonly what: 'identity' | 'time' | 'key'; readonly client: number }
  | { readonly do: 'pardon' }
  | { readonly do: 'jump'; readonly ms: number };

export interface Schedule {
  readonly setting: Setting;
  /** `wait`: milliseconds before it; 0 for the same moment. */
  readonly actions: readonly (Action & { readonly wait: number })[];
}

const number = fc.nat(2);
const often = <T>(weight: number, arbitrary: fc.Arbitrary<T>): { weight: number; arbitrary: fc.Arbitrary<T> } => ({
  weight,
  arbitrary,
});
const act = <A extends Action>(name: A['do'], fields: { [F in Exclude<keyof A, 'do'>]: fc.Arbitrary<A[F]> }) =>
  fc.record({ do: fc.constant(name), ...fields }, { noNullPrototype: true }) as unknown as fc.Arbitrary<A>;
type Named<N extends Action['do']> = Extract<Action, { do: N }>;

const action: fc.Arbitrary<Action> = fc.oneof(
  often(8, act<Named<'connect'>>('connect', { client: number })),
  often(2, act<Named<'leave'>>('leave', { client: number, tell: fc.boolean(), keep: fc.boolean() })),
  often(5, act<Named<'roam'>>('roam', { client: number })),
  often(4, act<Named<'rebind'>>('rebind', { client: number })),
  often(14, act<Named<'want'>>('want', { client: number, side: fc.constantFrom(...SIDES), want: fc.constantFrom(...WANTS) })),
  often(4, act<Named<'traffic'>>('traffic', { client: number })),
  often(2, act<Named<'lose'>>('lose', { client: number, side: fc.constantFrom(...SIDES) })),
  often(3, act<Named<'carry'>>('carry', { pod: number, available: fc.boolean() })),
  often(2, act<Named<'kill'>>('kill', { pod: number })),
  often(3, act<Named<'restart'>>('restart', { pod: number })),
  often(1, act<Named<'shut down'>>('shut down', { pod: number, tell: fc.boolean() })),
  often(5, act<Named<'spread'>>('spread', { how: fc.constantFrom(...SPREADS) })),
  often(3, act<Named<'weather'>>('weather', { lost: fc.constantFrom(0, 0, 10, 30), doubled: fc.nat(40), late: fc.nat(900) })),
  often(4, act<Named<'rotate'>>('rotate', {})),
  often(4, act<Named<'load'>>('load', { pod: number })),
  often(2, act<Named<'revoke'>>('revoke', { what: fc.constantFrom('identity', 'time', 'key'), client: number })),
  often(1, act<Named<'pardon'>>('pardon', {})),
  often(2, act<Named<'jump'>>('jump', { ms: fc.constantFrom(1_000, 61_000, 400_000, 1_300_000, 2_500_000) })),
);

/** Mostly little, so that exchanges meet; sometimes long enough for everything to end. */
const wait = fc.oneof(
  often(3, fc.constant(0)),
  often(3, fc.nat(5)),
  often(3, fc.nat(600)),
  often(2, fc.nat(5_000)),
  often(1, fc.nat(70_000)),
);

const setting: fc.Arbitrary<Setting> = fc.record(
  {
    seed: fc.nat(0xffff),
    pods: fc.integer({ min: 1, max: 3 }),
    clients: fc.integer({ min: 1, max: 3 }),
    connected: fc.boolean(),
    ...{ cookies: fc.boolean(), cbc: fc.boolean(), nat: fc.boolean(), otherGroup: fc.boolean() },
    ...{
      rekeys: fc.boolean(),
      revokeOnDelete: fc.boolean(),
      fragments: fc.boolean(),
      mobike: fc.boolean(),
      postQuantum: fc.boolean(),
    },
  },
  { noNullPrototype: true },
);

export const schedules = (maxLength: number): fc.Arbitrary<Schedule> =>
  fc.record(
    {
      setting,
      actions: fc.array(
        fc.tuple(wait, action).map(([ms, one]) => ({ wait: ms, ...one })),
        { minLength: 1, maxLength, size: 'max' },
      ),
    },
    { noNullPrototype: true },
  );
