import type { Command } from '../cluster/envelope.js';
import { encodeEvent } from '../wire/frame.js';
import type { Delivery } from './delivery.js';

/** Does what was asked for with a user's connections. @returns how many there are */
export function obey(delivery: Delivery, command: Command): number {
  const connections = [...delivery.registry.users.of(command.target)];
  if (command.type === 'close' && command.reason !== undefined) {
    const text = JSON.stringify({ reason: command.reason });
    delivery.tellLast(connections, encodeEvent({ event: 'server:close', text }, 0));
  }
  for (const connection of connections) {
    if (command.type === 'close') connection.close('server');
    else if (command.type === 'join') delivery.join(connection, command.room, undefined, false);
    else delivery.leave(connection, command.room);
  }
  return connections.length;
}
