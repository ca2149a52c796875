import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { ApiModule, type ApiParts } from './api.module';
import { OpenApi } from './docs.controller';
import { requireApiKey } from './http/authentication';
import { createHttpServer } from './http/http-server';
import { RateLimit } from './http/rate-limit';
import { openApiDocument } from './openapi';

/** The API's server with all of its routes, not yet listening. */
export async function createApiServer(parts: ApiParts): Promise<NestFastifyApplication> {
  const { config, logger, apiKeys } = parts.connections;
  const app = await createHttpServer(ApiModule.register(parts), config, logger);
  const limit = new RateLimit(config.rateLimitPerSecond, config.rateLimitBurst);
  const server = app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  requireApiKey(server, (key) => apiKeys.authenticate(key), limit);
  app.get(OpenApi).document = openApiDocument(app);
  await app.init();
  return app;
}
