import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { detectNat, feignedNatDetection, natDetection } from '../../../sidecar/ike/nat.ts';
import { hex, unhex } from '../../../sidecar/ike/wire/bytes.ts';
import { notify } from '../../../sidecar/ike/wire/payload.ts';
import { Notify } from '../../../sidecar/ike/wire/registry.ts';
import { counting, crypto } from './key-rings.ts';

const header = { spiI: '0011223344556677', spiR: '0000000000000000' };
const path = { local: '198.51.100.1:500', remote: '192.0.2.1:500' };

const told = (endpoint: string, spis = header) => natDetection(crypto, spis.spiI, spis.spiR, endpoint);
const source = (data: Uint8Array) => notify(Notify.NAT_DETECTION_SOURCE_IP, data);
const destination = (data: Uint8Array) => notify(Notify.NAT_DETECTION_DESTINATION_IP, data);

describe('the hash', () => {
  /** Computed with Python's hashlib. */
  it('is SHA-1 of SPIi, SPIr, address and port', () => {
    assert.equal(hex(told('192.0.2.1:500')), '0f4e340ec8f74e72a5596c98861f42b328d41ebf');
    assert.equal(hex(told('[2001:db8::1]:4500')), '12ef39602e106325f19853f86f41b97a8f8a6809');
  });
});

describe('detection', () => {
  const detect = (...notifies: ReturnType<typeof source>[]) => detectNat(notifies, header, path, crypto);

  it('sees no NAT when both ends are as the peer sees them', () => {
    assert.deepEqual(detect(source(told(path.remote)), destination(told(path.local))), { local: false, remote: false });
  });

  it('sees the peer behind a NAT by its address or by its port', () => {
    for (const endpoint of ['10.0.0.1:500', '192.0.2.1:501']) {
      assert.deepEqual(detect(source(told(endpoint)), destination(told(path.local))), { local: false, remote: true });
    }
  });

  it('sees us behind a NAT', () => {
    assert.deepEqual(detect(source(told(path.remote)), destination(told('203.0.113.1:500'))), { local: true, remote: false });
  });

  it('is content when one of the several sources of a peer fits', () => {
    const several = [source(told('10.0.0.1:500')), source(told(path.remote)), destination(told(path.local))];
    assert.deepEqual(detect(...several), { local: false, remote: false });
  });

  it('does not take a hash for other SPIs', () => {
    const replayed = told(path.remote, { ...header, spiI: 'ffffffffffffffff' });
    assert.equal(detect(source(replayed), destination(told(path.local))).remote, true);
  });

  it('sees none when the peer does not look for any', () => {
    assert.deepEqual(detect(notify(Notify.COOKIE, unhex('00'))), { local: false, remote: false });
  });

  it('sees a NAT in a feigned source, and in one of a wrong length', () => {
    const random = counting();
    assert.notDeepEqual(feignedNatDetection(random), feignedNatDetection(random));
    assert.equal(feignedNatDetection(random).length, 20);
    for (const data of [feignedNatDetection(random), unhex('')]) assert.equal(detect(source(data)).remote, true);
  });
});
