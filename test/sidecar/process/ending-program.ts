/** A program that ends as its argument says, for the tests of shutdown. */
import { createLog } from '../../../sidecar/process/log.ts';
import { endInGoodOrder } from '../../../sidecar/process/shutdown.ts';

const how = process.argv[2];
const log = createLog({ level: 'info', base: {} });
const close = async (): Promise<void> => {
  if (how === 'hangs') await new Promise(() => {});
  if (how === 'fails') throw new Error('cannot close');
};
endInGoodOrder({ log, close, limitMs: 100 });
setInterval(() => {}, 1_000);
log.info('running');
if (how === 'throws') setImmediate(() => JSON.parse('hunter'));
if (how === 'rejects') void Promise.reject(new Error('a bug'));
