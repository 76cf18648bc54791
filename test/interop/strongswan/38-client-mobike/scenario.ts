/** Our client changes its address: it tells strongSwan so, and its session goes on (RFC 4555). */
import { OUTER } from '../../lab/lab.ts';
import type { Scenario } from '../../lab/scenario.ts';

const BEHIND = '10.20.0.1';
const NEXT = '10.96.0.21';

export const scenario: Scenario = {
  title: 'our client changes its address, and its session and traffic go on (MOBIKE)',
  async run(lab) {
    await lab.responder.must('ip', 'address', 'add', `${BEHIND}/32`, 'dev', 'lo');
    const peer = await lab.strongSwan('responder');
    await lab.initiator.must(
      'sysctl',
      '-w',
      'net.ipv4.conf.all.promote_secondaries=1',
      'net.ipv4.conf.outer.promote_secondaries=1',
    );
    const client = lab.client('--tun', 'vpn0');
    await client.tells('established');
    await lab.eventually(() => lab.initiator.must('ip', 'route', 'get', BEHIND));
    const ping = () => lab.initiator.must('ping', '-n', '-c', '3', '-i', '0.1', '-W', '3', BEHIND);
    await ping();
    await lab.step('it moves, and says so', async () => {
      await lab.initiator.must('ip', 'address', 'add', `${NEXT}/24`, 'dev', 'outer');
      await lab.initiator.must('ip', 'address', 'del', `${OUTER.initiator.ipv4}/24`, 'dev', 'outer');
      await client.tells('moved');
      await peer.says(/N\(UPD_SA_ADDR\)/);
      await lab.eventually(ping);
    });
    await lab.step('both rekeys work there', async () => {
      await peer.must('--rekey', '--child', 'net');
      await peer.must('--rekey', '--ike', 'psk');
      await client.tells('rekeyed', { times: 2 });
      await ping();
    });
  },
};
