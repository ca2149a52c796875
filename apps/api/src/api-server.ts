import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { ApiModule, type ApiParts } from './api.module';
import { OpenApi } from './docs.controller';
import { createHttpServer } from './http/http-server';
import { openApiDocument } from './openapi';

/** The API's server with all of its routes, not yet listening. */
export async function createApiServer(parts: ApiParts): Promise<NestFastifyApplication> {
  const { config, logger, apiKeys } = parts.connections;
  const app = await createHttpServer(ApiModule.register(parts), config, logger, (key) => apiKeys.authenticate(key));
  app.get(OpenApi).document = openApiDocument(app);
  await app.init();
  return app;
}
