/** Orders that an agent must refuse, whoever gives them, in the form that taken-over.ts reads. */

type Json = string | number | boolean | readonly Json[] | { readonly [name: string]: Json };

/** What is wrong with it → the order. */
export function badOrders(local: string, remote: string): Readonly<Record<string, Json>> {
  let spi = 0x0200_0000;
  const install = (change: Readonly<Record<string, Json>>): Json => ({
    order: 'install',
    child: {
      spiIn: ++spi,
      spiOut: spi,
      suite: { encr: 20, keyBits: 256, integ: 0, esn: false },
      keyIn: { encr: `hex:${'01'.repeat(36)}`, integ: 'hex:' },
      keyOut: { encr: `hex:${'02'.repeat(36)}`, integ: 'hex:' },
      local: [range('0a140000', '0a14ffff')],
      remote: [range('0a080005', '0a080005')],
      path: { local: `${local}:4500`, remote: `${remote}:4500` },
      encapsulated: true,
      peer: { idType: 2, data: 'hex:61' },
      sequences: { sent: 0, received: 0 },
      ...change,
    },
  });
  return {
    'all of IPv4 at the far end': install({ remote: [range('00000000', 'ffffffff')] }),
    'more than a pool at the far end': install({ remote: [range('0a000000', '0affffff')] }),
    'the server at the far end': install({ remote: [range('0a140001', '0a140001')] }),
    'an address of the node at the far end': install({ remote: [range('0a610002', '0a610002')] }),
    'a second selector outside of the pools': install({ remote: [range('0a080005', '0a080005'), range('0a140001', '0a140001')] }),
    'everything at our end': install({ local: [range('00000000', 'ffffffff')] }),
    'a network that no route names at our end': install({ local: [range('0a610000', '0a61ffff')] }),
    'the gateway itself at the far end': install({ remote: [range('0a080001', '0a080001')] }),
    'a key that is too short': install({ keyIn: { encr: 'hex:0102', integ: 'hex:' } }),
    'an algorithm that is none': install({ suite: { encr: 11, keyBits: 0, integ: 0, esn: false } }),
    'another port of ours': install({ path: { local: `${local}:53`, remote: `${remote}:4500` } }),
  };
}

const range = (start: string, end: string): Json => ({
  protocol: 0,
  startPort: 0,
  endPort: 65_535,
  start: `hex:${start}`,
  end: `hex:${end}`,
});
