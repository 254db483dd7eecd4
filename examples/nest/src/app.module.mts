import { Module } from '@nestjs/common';
import { EventsController } from './events.controller.mjs';
import { Hub } from './hub.service.mjs';

@Module({ controllers: [EventsController], providers: [Hub] })
export class AppModule {}
