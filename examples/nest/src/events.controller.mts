import type { ServerResponse } from 'node:http';
import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { eventIn, namesIn } from '../../hub.js';
import { Hub } from './hub.service.mjs';

@Controller()
export class EventsController {
  readonly #sse: Hub['sse'];

  constructor(@Inject(Hub) { sse }: Hub) {
    this.#sse = sse;
  }

  // A demo believes what the URL says. Your application takes the user from its session, and decides who may join a room.
  // With `@Res()` Nest leaves the response alone; Nest's own `@Sse()` is not used.
  @Get('sse')
  stream(@Query('userId') userId: string, @Query('rooms') rooms: unknown, @Res() res: ServerResponse): void {
    this.#sse.registerConnection(userId, res, { rooms: namesIn(rooms) });
  }

  @Post('notify/:userId')
  @HttpCode(200)
  notify(@Param('userId') userId: string, @Body() body: unknown): { reached: number } {
    return { reached: this.#sse.sendToUser(userId, ...eventIn(body)) };
  }

  @Post('broadcast')
  @HttpCode(200)
  broadcast(@Body() body: unknown): { reached: number } {
    return { reached: this.#sse.sendToAll(...eventIn(body)) };
  }

  @Post('room/:room')
  @HttpCode(200)
  room(@Param('room') room: string, @Body() body: unknown): { reached: number } {
    return { reached: this.#sse.sendToRoom(room, ...eventIn(body)) };
  }

  // As room/:room, but to every instance on the channel. Without Redis that is this one.
  @Post('publish-room/:room')
  @HttpCode(200)
  publishRoom(@Param('room') room: string, @Body() body: unknown): Promise<unknown> {
    return this.#sse.publishToRoom(room, ...eventIn(body));
  }

  @Post('close/:userId')
  @HttpCode(200)
  close(@Param('userId') userId: string): { closed: number } {
    return { closed: this.#sse.close(userId) };
  }

  @Get('stats')
  stats(): object {
    return this.#sse.stats();
  }
}
