import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Controller, Get, Header, Inject, Param } from '@nestjs/common';
import { ApiExcludeController, type OpenAPIObject } from '@nestjs/swagger';
import { EdgeProblem } from './http/edge-problem';
import { problemCode, problems } from './http/problem';
import { Requires } from './http/scopes.guard';
import { page, text } from './page';

/** The document is made after the application, so it is handed over in a box. */
export class OpenApi {
  document: OpenAPIObject | undefined;
}

const html = 'text/html; charset=utf-8';
const assets = dirname(require.resolve('swagger-ui-dist/package.json'));

const swaggerPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Perennial API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
</head>
<body>
<main id="swagger-ui"></main>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;

const startScript = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  validatorUrl: null,
  tryItOutEnabled: false,
  presets: [SwaggerUIBundle.presets.apis],
});
`;

/** The API's description for programs and for people. Swagger UI comes from its package, nothing from elsewhere. */
@ApiExcludeController()
@Requires('any-key')
@Controller()
export class DocsController {
  constructor(@Inject(OpenApi) private readonly openApi: OpenApi) {}

  @Get('openapi.json')
  document(): OpenAPIObject {
    if (!this.openApi.document) throw new Error('the OpenAPI document has not been made');
    return this.openApi.document;
  }

  @Get('docs')
  @Header('content-type', html)
  docs(): string {
    return swaggerPage;
  }

  @Get('docs/start.js')
  @Header('content-type', 'text/javascript; charset=utf-8')
  start(): string {
    return startScript;
  }

  @Get('docs/swagger-ui.css')
  @Header('content-type', 'text/css; charset=utf-8')
  css(): Buffer {
    return asset('swagger-ui.css');
  }

  @Get('docs/swagger-ui-bundle.js')
  @Header('content-type', 'text/javascript; charset=utf-8')
  bundle(): Buffer {
    return asset('swagger-ui-bundle.js');
  }

  @Get('docs/favicon-32x32.png')
  @Header('content-type', 'image/png')
  icon(): Buffer {
    return asset('favicon-32x32.png');
  }

  @Get('problems')
  @Header('content-type', html)
  problems(): string {
    const rows = Object.entries(problems)
      .sort(([a, one], [b, other]) => one.status - other.status || a.localeCompare(b))
      .map(
        ([code, { status, title }]) =>
          `<tr><td>${status}</td><td><a href="/problems/${code}"><code>${code}</code></a></td><td>${text(title)}</td></tr>`,
      );
    return page(
      'Problems',
      `<p>Every refusal is <code>application/problem+json</code> with one of these codes. Codes never change their meaning.</p>
<table><thead><tr><th>Status</th><th>Code</th><th>Meaning</th></tr></thead><tbody>${rows.join('\n')}</tbody></table>`,
    );
  }

  @Get('problems/:code')
  @Header('content-type', html)
  problem(@Param('code') given: string): string {
    const code = problemCode(given);
    if (!code) throw new EdgeProblem('not-found', 'There is no such problem code.');
    const { status, title, about, retryable } = problems[code];
    return page(
      code,
      `<p><strong>${text(title)}.</strong></p>
<dl><dt>Status</dt><dd>${status}</dd><dt>Retryable</dt><dd>${
        retryable ? 'yes, with the same Idempotency-Key' : 'no'
      }</dd></dl>
<p>${text(about)}</p>
<p><a href="/problems">All problems</a></p>`,
    );
  }
}

const loaded = new Map<string, Buffer>();

function asset(name: string): Buffer {
  const known = loaded.get(name);
  if (known) return known;
  const bytes = readFileSync(join(assets, name));
  loaded.set(name, bytes);
  return bytes;
}
