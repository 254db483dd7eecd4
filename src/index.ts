import { createIORedisAdapter } from './cluster/ioredis.js';
import { createRedisStreamAdapter } from './cluster/log/redis-stream.js';
import { createNodeRedisAdapter } from './cluster/node-redis.js';
import { SSEKifyError } from './errors.js';
import { SSEKify } from './ssekify.js';

export type { BusStats } from './cluster/bus-stats.js';
export type { Envelope, EnvelopeType } from './cluster/envelope.js';
export type { IORedisClient, IORedisTarget } from './cluster/ioredis.js';
export type { LogStats } from './cluster/log/log-stats.js';
export type { RedisStreamAdapter, RedisStreamOptions } from './cluster/log/redis-stream.js';
export type { NodeRedisClient, NodeRedisTarget } from './cluster/node-redis.js';
export type { ClosableAdapter } from './cluster/redis-adapter.js';
export type { NumberedPublish, NumberedResult, RedisLike } from './cluster/redis-like.js';
export type { NodeResponse } from './delivery/sinks/response.js';
export type { DropInfo } from './diagnostics.js';
export type { PublishOutcome, SSEKifyErrorCode, SSEKifyErrorDetails } from './errors.js';
export type { SSEKifyEventMap } from './events.js';
export type { RoomOptions, SSEKifyOptions } from './options.js';
export type { SSEKifyDiagnostics } from './ssekify.js';
export type { KeyValue } from './stamp/key-value.js';
export type { AutoFieldSource, AutoFieldsOptions, FrameIdFunction, SeqOptions } from './stamp/options.js';
export type { SSEKifyStats } from './stats.js';
export type { ProgressOptions, Task, TaskEvent, TaskFailure, TaskOptions, TaskPhase } from './tasks/types.js';
export type {
  CloseOptions,
  ConnectInfo,
  ConnectionId,
  ConnectionOptions,
  DisconnectInfo,
  DisconnectReason,
  DropPolicy,
  EventData,
  EventName,
  Gap,
  GapInfo,
  GapReason,
  HeaderValue,
  Items,
  JoinOptions,
  KeepAliveEvent,
  MessageSentInfo,
  PipeOptions,
  PublishOptions,
  PublishResult,
  RefusalReason,
  RegisteredConnectionHandle,
  RegisterOptions,
  RespondOptions,
  RoomInfo,
  RoomName,
  ScopeKind,
  SendOptions,
  ShutdownOptions,
  UntypedEvents,
  UserId,
} from './types.js';
export { createIORedisAdapter, createNodeRedisAdapter, createRedisStreamAdapter, SSEKify, SSEKifyError };

/** All values of the package, for `import ssekify from 'ssekify'`. */
const ssekify = { SSEKify, SSEKifyError, createIORedisAdapter, createNodeRedisAdapter, createRedisStreamAdapter };
export default ssekify;
