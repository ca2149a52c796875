import { Body, Controller, Get, Param, Post, Query, Req, Res } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { VoidInvoice } from '@perennial/billing-application';
import { FindInvoices, GetInvoice, invoices } from '@perennial/billing-read-models';
import { answerOf, CommandDispatch } from './http/command-dispatch';
import { CommandAnswer } from './http/command-answer.dto';
import { contextOf } from './http/command-headers';
import { found, listed } from './http/found';
import { Commands, Reads } from './http/operation';
import { CommandQuery, pageOf, ReadQuery } from './http/parameters.dto';
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
    const { minPosition, limit, ...filter } = query;
    await this.reading.waitFor(invoices.name, minPosition);
    const { tenant } = principalOf(request);
    return listed(await this.queries.execute(new FindInvoices({ ...filter, tenant, limit: pageOf(limit) })));
  }

  @Get(':invoiceId')
  @Reads({
    scope: 'finance:read',
    summary: 'Read an invoice with its lines',
    answer: InvoiceFound,
    kind: 'one',
    problems: ['invoice-not-found'],
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
