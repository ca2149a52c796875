import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';

const about = `Event-sourced subscription billing.

**Commands** are POST (and PATCH and DELETE) requests with an \`Idempotency-Key\`. Repeating one with its key gives the first answer,
for as long as the resource exists. \`If-Match: "<revision>"\` makes a command apply to one revision only. \`?dryRun=true\`
answers with the events that would be recorded, and records nothing. Each answer has the new revision in \`ETag\` and the
position in the log in \`Perennial-Position\`.

**Reads** come from read models, a moment behind; \`?minPosition=<Perennial-Position>\` waits until a read sees what a
command did. Every answer states its as-of position, its lag, and how many streams it is missing (\`incomplete\`).

**Money** is whole minor units as a decimal string. Instants are ISO 8601 in UTC. Refusals are
\`application/problem+json\` with a stable \`code\`; /problems lists them all.

**API keys**: \`Authorization: Bearer pk_…\`. A key belongs to a tenant and has scopes; another tenant's ids are 404.`;

/** The OpenAPI document of the application; complete only when built by \`nest build\`, whose plugin reads the DTOs. */
export function openApiDocument(app: INestApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setTitle('Perennial')
    .setDescription(about)
    .setVersion('1')
    .setOpenAPIVersion('3.1.0')
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
    .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'pk_<id>_<secret>' }, 'apiKey')
    .build();
  const document = SwaggerModule.createDocument(app, config, {
    operationIdFactory: (controller, method) => `${controller.replace(/Controller$/, '')}.${method}`,
  });
  for (const operation of Object.values(document.paths).flatMap((path) => [
    path.get,
    path.post,
    path.put,
    path.patch,
    path.delete,
  ])) {
    for (const parameter of operation?.parameters ?? []) {
      if (!('in' in parameter) || parameter.in !== 'query' || !parameter.schema || !('type' in parameter.schema))
        continue;
      if (parameter.schema.type === 'object') Object.assign(parameter, { style: 'deepObject', explode: true });
    }
    // The compiler's plugin adds a bare 201 to every POST, since it does not see the HttpCode inside `Commands`.
    for (const [status, response] of Object.entries(operation?.responses ?? {}))
      if (response && 'description' in response && response.description === '') delete operation?.responses[status];
  }
  for (const [name, schema] of Object.entries(document.components?.schemas ?? {})) {
    // Unknown fields of a request are refused; an answer may gain some.
    if (name.endsWith('Body') && 'type' in schema) schema.additionalProperties = false;
  }
  return settled(document) as OpenAPIObject;
}

/**
 * The document in one form: OpenAPI 3.1 says with a type what 3.0, which the generator writes, says with `nullable`; and
 * choices are sorted, since the compiler lists those of a union type in an order that changes from build to build.
 */
function settled(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(settled);
  if (typeof part !== 'object' || part === null) return part;
  const { nullable, ...rest } = Object.fromEntries(
    Object.entries(part).map(([name, value]) => [
      name,
      name === 'enum' && Array.isArray(value) ? [...(value as string[])].sort() : settled(value),
    ]),
  );
  if (nullable !== true) return nullable === undefined ? rest : { nullable, ...rest };
  const { type, allOf, oneOf, anyOf, ...others } = rest as Record<string, unknown>;
  if (Array.isArray(anyOf)) return { ...others, anyOf: [...(anyOf as unknown[]), { type: 'null' }] };
  const choices = allOf ?? oneOf;
  if (Array.isArray(choices)) return { ...others, oneOf: [...(choices as unknown[]), { type: 'null' }] };
  // A type does not add to the values that are listed.
  if (Array.isArray(others['enum'])) others['enum'] = [...(others['enum'] as unknown[]), null];
  return { ...others, type: [type, 'null'] };
}
