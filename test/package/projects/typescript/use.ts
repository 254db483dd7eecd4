import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import ssekify, {
  type AutoFieldsOptions,
  type ConnectionId,
  type Envelope,
  type RegisteredConnectionHandle,
  type RegisterOptions,
  type RespondOptions,
  type SendOptions,
  type SeqOptions,
  SSEKify,
  SSEKifyError,
  type SSEKifyErrorCode,
  type SSEKifyOptions,
  type UserId,
} from 'ssekify';
import type { EggSSE } from 'ssekify/egg';
import type { MetricsOptions } from 'ssekify/prometheus';

interface Notice {
  title: string;
}

const user: UserId = 'ann';
/** The subpaths have types, too, also where `exports` is not read. */
export type OfSubpaths = [EggSSE, MetricsOptions];
const autoFields = { timestamp: 'epochMs', traceId: undefined } satisfies AutoFieldsOptions;
const seq: SeqOptions = { startAt: 1, frameIdPolicy: undefined };
const options = {
  redis: undefined,
  keepAliveMs: 0,
  maxConnections: undefined,
  connection: { maxQueueItems: undefined },
  autoFields,
  seq,
} satisfies SSEKifyOptions;
const register: RegisterOptions = { rooms: ['news'], headers: { 'X-Extra': undefined }, signal: undefined };
const named: SendOptions<'notice'> = { event: 'notice', id: undefined };

// The default export holds the same class, as a type and as a value.
const { SSEKify: FromDefault } = ssekify;
const sse: SSEKify<{ notice: Notice }> = new FromDefault<{ notice: Notice }>(options);
assert.equal(FromDefault, SSEKify);

/** Asks for no map, so that hubs with any go. */
const connections = (hub: SSEKify): number => hub.stats().connections;
// What a route handler of a framework is: no types of browsers are needed for it.
const respond: RespondOptions<{ notice: Notice }> = { ...register, connected: (handle) => void handle.join('web') };
const route = (request: Request): Response => sse.respond(request, user, respond);
// What a model answers with, also where the types of browsers know no iterator of it.
const answer = (stream: ReadableStream<Uint8Array>) => sse.task(user, { requestId: 'chat-1' }).pipe(stream);

async function main(): Promise<void> {
  const streamed = route(new Request('http://localhost/'));
  assert.equal(sse.sendToRoom('web', { title: 'to the web' }, named), 1);
  assert.equal(connections(sse), 1);
  sse.close(user);
  assert.match(await streamed.text(), /data: ?\{"title":"to the web"/);
  const handles: RegisteredConnectionHandle<{ notice: Notice }>[] = [];
  const envelopes: Envelope[] = [];
  sse.on('publish', (envelope) => envelopes.push(envelope));
  const server = http.createServer((_req, res) => {
    const handle = sse.registerConnection(user, res, register);
    handles.push(handle);
    const id: ConnectionId = handle.connId;
    assert.deepEqual(sse.getUserConnectionIds(user), [id]);
    assert.equal(sse.sendToRoom('news', { title: 'sent' }, named), 1);
    // @ts-expect-error: a notice has a title
    assert.equal(sse.sendToUser('nobody', { name: 'x' }, named), 0);
    void sse.publish({ title: 'published' }, user, named).then(() => handle.close());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  const body = await (await fetch(`http://127.0.0.1:${address.port}/`)).text();
  assert.match(body, /event: ?notice\n[\s\S]*"title":"sent"[\s\S]*"title":"published"/);
  assert.equal(envelopes[0]?.target, user);
  assert.equal(handles[0]?.closed, true);
  await answer(new ReadableStream({ start: (controller) => controller.close() }));
  const codes: SSEKifyErrorCode[] = [];
  try {
    sse.sendToUser('', { title: 'x' }, named);
  } catch (error) {
    if (error instanceof SSEKifyError) codes.push(error.code);
  }
  assert.deepEqual(codes, ['INVALID_USER_ID']);
  await sse.shutdown({ graceMs: 0, event: undefined });
  server.closeAllConnections();
  server.close();
  console.log('delivered');
}

void main();
