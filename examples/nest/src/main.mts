import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { port } from '../../hub.js';
import { AppModule } from './app.module.mjs';
import { JsonErrors } from './json-errors.mjs';

const app = await NestFactory.create<NestExpressApplication>(AppModule, {
  bodyParser: false,
  // A request that never ends does not keep the process.
  forceCloseConnections: true,
  logger: ['error', 'warn'],
});
app.useBodyParser('json', { limit: '64kb' });
app.useGlobalFilters(new JsonErrors());
// The hub ends in a hook of its service; without this Nest calls none.
app.enableShutdownHooks(['SIGTERM', 'SIGINT'], { useProcessExit: true });

await app.listen(port(3040));
console.log(`ssekify with Nest: http://localhost:${new URL(await app.getUrl()).port}`);
