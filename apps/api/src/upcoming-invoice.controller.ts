import { Controller, Get, Param, Req } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { GetUpcomingInvoice, type UpcomingDocument } from '@perennial/billing-application';
import { Reads } from './http/operation';
import { SubscriptionPath } from './http/parameters.dto';
import { principalOf } from './http/principal';
import { UpcomingInvoiceAnswer, type UpcomingDocumentAnswer } from './upcoming-invoice.dto';

@ApiTags('subscriptions')
@Controller('v1/subscriptions')
export class UpcomingInvoiceController {
  constructor(private readonly queries: QueryBus) {}

  @Get(':subscriptionId/upcoming-invoice')
  @Reads({
    scope: 'finance:read',
    summary: 'Preview the next bill as things stand now',
    description:
      'Decided by the next boundary itself, from the streams as they are, with what is scheduled: what is billed then when nothing changes.',
    answer: UpcomingInvoiceAnswer,
    problems: ['invalid-request', 'subscription-not-found', 'boundary-due'],
  })
  async get(
    @Param() { subscriptionId }: SubscriptionPath,
    @Req() request: FastifyRequest,
  ): Promise<UpcomingInvoiceAnswer> {
    const { upcoming, ...about } = await this.queries.execute(
      new GetUpcomingInvoice(principalOf(request).tenant, subscriptionId),
    );
    return { ...about, upcoming: upcoming && answerOf(upcoming) };
  }
}

/** Amounts with their currency. */
function answerOf({ currency, taxes, ...upcoming }: UpcomingDocument): UpcomingDocumentAnswer {
  const money = (amount: string) => ({ amount, currency });
  return {
    ...upcoming,
    discounts: money(upcoming.discounts),
    subtotal: money(upcoming.subtotal),
    taxes: taxes.map(({ code, amount }) => ({ code, amount: money(amount) })),
    total: money(upcoming.total),
    creditApplied: money(upcoming.creditApplied),
    amountDue: money(upcoming.amountDue),
  };
}
