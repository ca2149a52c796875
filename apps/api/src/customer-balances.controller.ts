import { Controller, Get, Param, Query, Req, Res } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DomainError } from '@perennial/billing-domain';
import {
  customerBalances,
  FindCustomerBalanceMovements,
  FindCustomerBalances,
  GetCustomerBalance,
} from '@perennial/billing-read-models';
import {
  BalanceMovementPage,
  CustomerBalanceFound,
  CustomerBalancePage,
  CustomerBalancePath,
  CustomerBalancesQuery,
} from './customer-balances.dto';
import { found, listed } from './http/found';
import { Reads } from './http/operation';
import { ListQuery, pageOf, ReadQuery } from './http/parameters.dto';
import { principalOf } from './http/principal';
import { Reading } from './http/reading';

@ApiTags('customer balances')
@Controller('v1/customer-balances')
export class CustomerBalancesController {
  constructor(
    private readonly queries: QueryBus,
    private readonly reading: Reading,
  ) {}

  @Get()
  @Reads({
    scope: 'finance:read',
    summary: 'List what customers have to their credit, one balance per currency',
    answer: CustomerBalancePage,
    kind: 'list',
  })
  async list(@Query() query: CustomerBalancesQuery, @Req() request: FastifyRequest): Promise<CustomerBalancePage> {
    const { minPosition, limit, ...filter } = query;
    await this.reading.waitFor(customerBalances.name, minPosition);
    const { tenant } = principalOf(request);
    return listed(await this.queries.execute(new FindCustomerBalances({ ...filter, tenant, limit: pageOf(limit) })));
  }

  @Get(':customerBalanceId')
  @Reads({
    scope: 'finance:read',
    summary: 'Read what a customer has to its credit in one currency',
    answer: CustomerBalanceFound,
    kind: 'one',
    problems: ['customer-balance-not-found'],
  })
  async get(
    @Param() { customerBalanceId }: CustomerBalancePath,
    @Query() { minPosition }: ReadQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CustomerBalanceFound> {
    await this.reading.waitFor(customerBalances.name, minPosition);
    const query = new GetCustomerBalance(principalOf(request).tenant, customerBalanceId);
    return found(await this.queries.execute(query), 'customer-balance-not-found', reply);
  }

  @Get(':customerBalanceId/movements')
  @Reads({
    scope: 'finance:read',
    summary: 'List what moved a balance: credit notes, invoices that it settled, invoices that were voided',
    answer: BalanceMovementPage,
    kind: 'list',
    problems: ['customer-balance-not-found'],
  })
  async movements(
    @Param() { customerBalanceId }: CustomerBalancePath,
    @Query() { minPosition, limit, cursor }: ListQuery,
    @Req() request: FastifyRequest,
  ): Promise<BalanceMovementPage> {
    await this.reading.waitFor(customerBalances.name, minPosition);
    const { tenant } = principalOf(request);
    const page = await this.queries.execute(
      new FindCustomerBalanceMovements({ tenant, customerBalanceId, cursor, limit: pageOf(limit) }),
    );
    if (!page.found) throw new DomainError('customer-balance-not-found');
    return listed(page);
  }
}
