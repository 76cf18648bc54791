/** A probe for the kubelet: ends with 0 when an agent listens at the socket that is named. */
import { connect } from 'node:net';

const path = process.argv[2] ?? '';
const socket = connect(path);
socket.once('connect', () => process.exit(0));
socket.once('error', (error) => {
  process.stderr.write(`no agent listens at ${path}: ${error.message}\n`);
  process.exit(1);
});
