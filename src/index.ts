import { SSEKifyError } from './errors.js';
import { SSEKify } from './ssekify.js';

export type { Envelope } from './cluster/envelope.js';
export type { NodeResponse } from './delivery/sinks/response.js';
export type { SSEKifyErrorCode, SSEKifyErrorDetails } from './errors.js';
export type { SSEKifyEventMap } from './events.js';
export type { SSEKifyOptions } from './options.js';
export type { AutoFieldSource, AutoFieldsOptions, FrameIdFunction, SeqOptions } from './stamp/options.js';
export type { SSEKifyStats } from './stats.js';
export type {
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
  JoinOptions,
  KeepAliveEvent,
  MessageSentInfo,
  PublishResult,
  RefusalReason,
  RegisteredConnectionHandle,
  RegisterOptions,
  RoomName,
  ScopeKind,
  SendOptions,
  ShutdownOptions,
  UntypedEvents,
  UserId,
} from './types.js';
export { SSEKify, SSEKifyError };

/** All values of the package, for `import ssekify from 'ssekify'`. */
const ssekify = { SSEKify, SSEKifyError };
export default ssekify;
