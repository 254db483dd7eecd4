import { type BeforeApplicationShutdown, Injectable } from '@nestjs/common';
import { createHub } from '../../hub.js';

/** The one hub of the application. It ends before Nest closes the server, so that clients are told. */
@Injectable()
export class Hub implements BeforeApplicationShutdown {
  readonly sse = createHub();

  async beforeApplicationShutdown(): Promise<void> {
    await this.sse.shutdown();
  }
}
