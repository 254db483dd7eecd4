import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import type { Response } from 'express';
import { answerTo } from '../../hub.js';

/** Answers every error as the other examples do: `{ error, code? }`. */
@Catch()
export class JsonErrors implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    const res = host.switchToHttp().getResponse<Response>();
    const known = error instanceof HttpException ? { status: error.getStatus(), message: error.message } : error;
    const { status, body } = answerTo(known);
    res.status(status).json(body);
  }
}
