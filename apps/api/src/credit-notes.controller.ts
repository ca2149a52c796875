import { Controller, Get, Param, Query, Req, Res } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { creditNotes, FindCreditNotes, GetCreditNote } from '@perennial/billing-read-models';
import { CreditNoteFound, CreditNotePage, CreditNotePath, CreditNotesQuery } from './credit-notes.dto';
import { found, listed } from './http/found';
import { Reads } from './http/operation';
import { pageOf, ReadQuery } from './http/parameters.dto';
import { principalOf } from './http/principal';
import { Reading } from './http/reading';

@ApiTags('credit notes')
@Controller('v1/credit-notes')
export class CreditNotesController {
  constructor(
    private readonly queries: QueryBus,
    private readonly reading: Reading,
  ) {}

  @Get()
  @Reads({
    scope: 'finance:read',
    summary: 'List credit notes in the order in which they were drafted',
    answer: CreditNotePage,
    kind: 'list',
  })
  async list(@Query() query: CreditNotesQuery, @Req() request: FastifyRequest): Promise<CreditNotePage> {
    const { minPosition, limit, ...filter } = query;
    await this.reading.waitFor(creditNotes.name, minPosition);
    const { tenant } = principalOf(request);
    return listed(await this.queries.execute(new FindCreditNotes({ ...filter, tenant, limit: pageOf(limit) })));
  }

  @Get(':creditNoteId')
  @Reads({
    scope: 'finance:read',
    summary: 'Read a credit note with its lines',
    answer: CreditNoteFound,
    kind: 'one',
    problems: ['credit-note-not-found'],
  })
  async get(
    @Param() { creditNoteId }: CreditNotePath,
    @Query() { minPosition }: ReadQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CreditNoteFound> {
    await this.reading.waitFor(creditNotes.name, minPosition);
    const query = new GetCreditNote(principalOf(request).tenant, creditNoteId);
    return found(await this.queries.execute(query), 'credit-note-not-found', reply);
  }
}
