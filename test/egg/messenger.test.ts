import { expect, it } from 'vitest';
import { createMessengerAdapter } from '../../src/egg/index.js';
import { contract, eventually, type TestChannel } from '../cluster/redis-like-contract.js';
import { Messengers } from './messengers.js';

async function messengerChannel(): Promise<TestChannel> {
  const messengers = new Messengers();
  return {
    adapter: () => createMessengerAdapter(messengers.worker()),
    refuse: () => {
      messengers.refusal = new Error('channel closed');
    },
    empty: () => eventually(async () => messengers.listeners === 0),
    raw: async (channel, message) => messengers.sendToApp('ssekify', [channel, message]),
  };
}

// A worker that loses its master ends.
contract("Egg's messenger", messengerChannel, true);

it('leaves alone what else is sent under its name, and other channels', async () => {
  const messengers = new Messengers();
  const adapter = createMessengerAdapter(messengers.worker());
  const heard: string[] = [];
  adapter.on('message', (channel, message) => heard.push(`${channel} ${message}`));
  await adapter.subscribe('one');
  await adapter.subscribe('one');
  for (const data of [null, 'one', { 0: 'one' }, ['two', 'b'], ['one', 'a']]) messengers.sendToApp('ssekify', data);
  await eventually(async () => heard.length > 0);
  adapter.unsubscribe?.('two');
  adapter.unsubscribe?.('one');
  await adapter.publish('one', 'c');
  await eventually(async () => heard.length > 1);
  expect(heard).toEqual(['one a', 'one c']);
  adapter.unsubscribe?.('one');
  expect(messengers.listeners).toBe(0);
});
