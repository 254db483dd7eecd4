import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { SwitchWatch } from '../../src/cluster/switch-watch.js';

/** As much of a client of ioredis as is asked here; two sentinels come out of it. */
class FakeClient extends EventEmitter {
  status = 'ready';
  stream = { remoteAddress: '127.0.0.1', remotePort: 1 };
  readonly options = { name: 'ours', sentinels: [{ host: 'a' }, { host: 'b' }] };
  readonly made: FakeClient[] = [];
  reconnects = 0;

  duplicate(): FakeClient {
    const client = new FakeClient();
    this.made.push(client);
    return client;
  }

  async connect(): Promise<void> {}

  disconnect(reconnect = false): void {
    if (reconnect) this.reconnects += 1;
  }

  async subscribe(): Promise<void> {}

  async unsubscribe(): Promise<void> {}

  async call(): Promise<void> {}
}

function watched() {
  const client = new FakeClient();
  new SwitchWatch(client);
  const say = (sentinel: number, text: string) => client.made[sentinel]?.emit('message', '+switch-master', text);
  return { client, say };
}

const TO_2 = 'ours 127.0.0.1 1 127.0.0.1 2';
const TO_1 = 'ours 127.0.0.1 2 127.0.0.1 1';

it('leaves a primary that was replaced, once for all sentinels, and again when it is replaced again', () => {
  const { client, say } = watched();
  const after = (sentinel: number, text: string) => {
    say(sentinel, text);
    return client.reconnects;
  };
  expect([after(0, TO_2), after(1, TO_2)]).toEqual([1, 1]);
  client.stream.remotePort = 2;
  expect([after(1, TO_1), after(0, TO_1)]).toEqual([2, 2]);
  client.stream.remotePort = 1;
  expect([after(0, TO_2), after(1, TO_2)]).toEqual([3, 3]);
});

it('leaves for none but its own primary, and not when it is at the new one', () => {
  const { client, say } = watched();
  for (const text of ['theirs 127.0.0.1 1 127.0.0.1 2', TO_1, 'ours', '']) say(0, text);
  // Without a new address it cannot tell where it is.
  expect(client.reconnects).toBe(1);
});

it('leaves for a primary at the same port of another host', () => {
  const { client, say } = watched();
  say(0, 'ours 127.0.0.1 1 127.0.0.2 1');
  expect(client.reconnects).toBe(1);
});

it('hears the second sentinel when the first one spoke while the client was asking where to go', () => {
  const { client, say } = watched();
  client.status = 'connecting';
  say(0, TO_2);
  expect(client.reconnects).toBe(0);
  // A sentinel that had not heard of it sent the client to the old one.
  client.status = 'ready';
  say(1, TO_2);
  expect(client.reconnects).toBe(1);
});
