import { Body, Controller, Get, Param, Patch, Post, Query, Req, Res } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ChangeInvoiceMetadata, RequestFinalisation, VoidInvoice } from '@perennial/billing-application';
import { FindInvoices, GetInvoice, invoices } from '@perennial/billing-read-models';
import { answerOf, CommandDispatch } from './http/command-dispatch';
import { CommandAnswer, NoBody } from './http/command-answer.dto';
import { contextOf, refuseBody } from './http/command-headers';
import { found, listed } from './http/found';
import { canonicalInstant } from './http/instant';
import { Commands, Reads } from './http/operation';
import { CommandQuery, MetadataBody, pageOf, ReadQuery } from './http/parameters.dto';
import { principalOf } from './http/principal';
import { Reading } from './http/reading';
import { InvoiceFound, InvoicePage, InvoicePath, InvoicesQuery, VoidInvoiceBody } from './invoices.dto';

@ApiTags('invoices')
@Controller('v1/invoices')
export class InvoicesController {
  constructor(
    private readonly commands: CommandDispatch,
    private readonly queries: QueryBus,
    private readonly reading: Reading,
  ) {}

  @Get()
  @Reads({
    scope: 'finance:read',
    summary: 'List invoices in the order in which they were drafted',
    answer: InvoicePage,
    kind: 'list',
  })
  async list(@Query() query: InvoicesQuery, @Req() request: FastifyRequest): Promise<InvoicePage> {
    const { minPosition, limit, draftedFrom, draftedBefore, ...filter } = query;
    await this.reading.waitFor(invoices.name, minPosition);
    return listed(
      await this.queries.execute(
        new FindInvoices({
          ...filter,
          tenant: principalOf(request).tenant,
          limit: pageOf(limit),
          draftedFrom: canonicalInstant(draftedFrom),
          draftedBefore: canonicalInstant(draftedBefore),
        }),
      ),
    );
  }

  @Get(':invoiceId')
  @Reads({
    scope: 'finance:read',
    summary: 'Read an invoice with its lines',
    answer: InvoiceFound,
    kind: 'one',
    problems: ['invoice-not-found', 'personal-data-unavailable'],
  })
  async get(
    @Param() { invoiceId }: InvoicePath,
    @Query() { minPosition }: ReadQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<InvoiceFound> {
    await this.reading.waitFor(invoices.name, minPosition);
    const query = new GetInvoice(principalOf(request).tenant, invoiceId);
    return found(await this.queries.execute(query), 'invoice-not-found', reply);
  }

  @Post(':invoiceId/finalise')
  @Commands({
    scope: 'commands:write',
    summary: 'Let a draft that waits for its review be finalised',
    description:
      'Of a subscription with `autoFinalise: false`. It gets its number, its dates and what the customer’s balance settles a moment later.',
    body: NoBody,
    answer: CommandAnswer,
    problems: ['invoice-not-found'],
  })
  async finalise(
    @Param() { invoiceId }: InvoicePath,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    refuseBody(request);
    const context = contextOf(request, 'RequestFinalisation', dryRun === 'true');
    return answerOf(await this.commands.execute(new RequestFinalisation(invoiceId, context), reply));
  }

  @Patch(':invoiceId')
  @Commands({
    scope: 'commands:write',
    summary: 'Change the metadata of an invoice',
    description: 'Names that are set, or with null taken away; the others stay.',
    answer: CommandAnswer,
    problems: ['invoice-not-found', 'invalid-metadata'],
  })
  async changeMetadata(
    @Param() { invoiceId }: InvoicePath,
    @Body() { metadata }: MetadataBody,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    const context = contextOf(request, 'ChangeInvoiceMetadata', dryRun === 'true');
    return answerOf(await this.commands.execute(new ChangeInvoiceMetadata(invoiceId, metadata, context), reply));
  }

  @Post(':invoiceId/void')
  @Commands({
    scope: 'commands:write',
    summary: 'Void a finalised invoice, whose lines go on a new bill or are waived',
    description: 'It keeps its number; credit that it used goes back to the customer’s balance.',
    answer: CommandAnswer,
    problems: ['invoice-not-found', 'invoice-not-finalised'],
  })
  async void(
    @Param() { invoiceId }: InvoicePath,
    @Body() { rebill, reason }: VoidInvoiceBody,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    const context = contextOf(request, 'VoidInvoice', dryRun === 'true');
    return answerOf(await this.commands.execute(new VoidInvoice(invoiceId, { rebill, reason }, context), reply));
  }
}
