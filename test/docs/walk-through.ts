import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, type Service } from '../support/app';
import type { Answer } from '../support/http-client';

/** A page of docs/, or README.md. */
export const pageOf = (name: string): string => readFileSync(join(__dirname, '../..', name), 'utf8');

/** An answer that a page shows, and what came. */
export interface Shown {
  readonly after: string;
  readonly shown: unknown;
  readonly answer: unknown;
}

/**
 * Does what a page's shell examples say, without a shell: lines with `json` become requests; `until … | grep TEXT` asks until the
 * text is in the answer; `NAME=$(…)` keeps the id of what was made. Blocks of JSON say what the answer before them holds.
 */
export async function walkThrough(page: string, service: Service): Promise<{ requests: number; shown: Shown[] }> {
  const variables: Record<string, string> = {};
  const shown: Shown[] = [];
  let requests = 0;
  let last: { line: string; answer: Answer } | undefined;

  const ask = (command: string): Promise<Answer> => {
    const words = [...command.matchAll(/'([^']*)'|"([^"]*)"|([^\s'"]+)/g)].map(([, literal, quoted, bare]) =>
      literal === undefined ? (quoted ?? bare ?? '').replace(/\$(\w+)/g, (_, name: string) => valueOf(name)) : literal,
    );
    const after = (flag: string) => words[words.indexOf(flag) + 1];
    const has = (flag: string) => words.includes(flag);
    const path = words.find((word) => word.startsWith('/v1'));
    if (words[0] !== 'json' || path === undefined) throw new Error(`no request: ${command}`);
    const [name, value] = has('-H') ? (after('-H') ?? '').split(': ') : [];
    return service.client.ask(has('-X') ? (after('-X') ?? '') : 'GET', path, {
      ...(has('-d') && { body: after('-d') }),
      ...(name !== undefined && value !== undefined && { headers: { [name.toLowerCase()]: value } }),
    });
  };
  const valueOf = (name: string): string => {
    const value = name === 'API' ? '/v1' : variables[name];
    if (value === undefined) throw new Error(`$${name} is not set`);
    return value;
  };

  for (const [, language, text = ''] of page.matchAll(/^```(sh|json)\n([^`]*)^```$/gm)) {
    if (language === 'json') {
      if (!last) throw new Error(`nothing was asked before ${text}`);
      shown.push({ after: last.line, shown: JSON.parse(text), answer: last.answer.body });
      continue;
    }
    for (const line of text.replace(/\\\n\s*/g, '').split('\n')) {
      if (!/^(until |\w+=\$\()?json /.test(line)) continue;
      const [, kept, command = ''] = /^(?:until |(\w+)=\$\()?(json (?:'[^']*'|"[^"]*"|[^|'")])*)/.exec(line) ?? [];
      const wanted = /\| grep (?:-q )?'?([^';]*)'?; do/.exec(line)?.[1];
      const answer = await (wanted === undefined
        ? ask(command)
        : eventually(
            () => ask(command),
            ({ body }) => JSON.stringify(body).includes(wanted),
          ));
      // What the walk-throughs keep: the id of what was made, or of the invoice that was found.
      if (kept !== undefined) variables[kept] = answer.body.id ?? answer.body.items[0].invoiceId;
      requests += 1;
      last = { line, answer };
    }
  }
  return { requests, shown };
}
