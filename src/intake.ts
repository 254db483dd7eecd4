import type { BusHost } from './cluster/bus-host.js';
import type { CountedSource } from './cluster/canonical.js';
import { aboutOf, type Command, envelopeOf, type Received } from './cluster/envelope.js';
import type { Delivery } from './delivery/delivery.js';
import type { HeldScope } from './delivery/recent-buffer.js';
import type { SSEKifyError } from './errors.js';
import type { EventIds } from './event-ids.js';
import { type Reporter, sentInfo } from './events.js';
import { encodeEvent, type Frame, type WireEvent } from './wire/frame.js';

/** What it takes events in with. */
export interface IntakeParts {
  ids: EventIds;
  delivery: Delivery;
  reporter: Reporter;
  /** Looks at the numbers that others gave. */
  seeNumber(event: WireEvent): void;
}

/** Takes in what is to be delivered here, from callers and from the channel: gives it a place, delivers it, and tells of it. */
export class Intake implements BusHost {
  readonly #parts: IntakeParts;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  /** Encodes an event, which takes the next place in the send order. */
  frameOf(event: WireEvent): Frame {
    const { ids, delivery } = this.#parts;
    return ids.encode(event, delivery.nextOrder());
  }

  /** Delivers a frame. @returns connections that accepted it */
  give(scope: HeldScope, frame: Frame): number {
    const { delivery, reporter } = this.#parts;
    const count = delivery.deliver(scope, frame);
    if (reporter.isHeard('message-sent')) reporter.tell('message-sent', () => sentInfo(scope, count));
    return count;
  }

  /** Takes what came by way of the log, whose ids are its own. */
  take(received: Received, message: string): void {
    if ('command' in received) this.obey(received.command);
    else this.give(received.scope, encodeEvent(received.event, this.#parts.delivery.nextOrder()));
    this.heard(received, message);
  }

  deliver(scope: HeldScope, event: WireEvent, fromChannel: boolean): number {
    if (fromChannel) this.#parts.ids.follow(event.id);
    return this.give(scope, this.frameOf(event));
  }

  keepsBytes(scope: HeldScope): boolean {
    const { delivery, reporter } = this.#parts;
    return delivery.keepsBytes(scope) && !reporter.tellsOfEvents;
  }

  keep(scope: HeldScope, source: CountedSource): void {
    const { ids, delivery } = this.#parts;
    const order = delivery.nextOrder();
    if (ids.take(source.id, order)) delivery.history.recordBytes?.(scope, source, order);
    else this.give(scope, ids.encode(source.event(), order));
  }

  obey(command: Command): number {
    const { delivery } = this.#parts;
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

  heard(received: Received, message: string): void {
    const { reporter, seeNumber } = this.#parts;
    if ('event' in received && !received.asText) seeNumber(received.event);
    if (!reporter.isHeard('publish')) return;
    reporter.tell('publish', () =>
      'event' in received
        ? envelopeOf(received.scope, received.event, aboutOf(message))
        : { ...aboutOf(message), ...received.command, data: null },
    );
  }

  tear(ongoing: boolean): void {
    this.#parts.delivery.history.tear(ongoing);
  }

  error(error: SSEKifyError): void {
    this.#parts.reporter.error(error);
  }
}
