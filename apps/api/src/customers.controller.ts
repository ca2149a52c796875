import { Body, Controller, Get, Param, Patch, Post, Query, Req, Res } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ChangeCustomer, CreateCustomer, EraseCustomer } from '@perennial/billing-application';
import { customers, FindCustomers, GetCustomer } from '@perennial/billing-read-models';
import {
  ChangeCustomerBody,
  CreateCustomerBody,
  CustomerFound,
  CustomerPage,
  CustomerPath,
  CustomersQuery,
} from './customers.dto';
import { answerOf, CommandDispatch } from './http/command-dispatch';
import { CommandAnswer, NoBody } from './http/command-answer.dto';
import { contextOf, refuseBody } from './http/command-headers';
import { found, listed } from './http/found';
import { Commands, Reads } from './http/operation';
import { CommandQuery, pageOf, ReadQuery } from './http/parameters.dto';
import { principalOf } from './http/principal';
import { Reading } from './http/reading';

@ApiTags('customers')
@Controller('v1/customers')
export class CustomersController {
  constructor(
    private readonly commands: CommandDispatch,
    private readonly queries: QueryBus,
    private readonly reading: Reading,
  ) {}

  @Post()
  @Commands({
    scope: 'commands:write',
    summary: 'Create a customer',
    description: 'The answer withholds `personal`; reading the customer shows it.',
    status: 201,
    answer: CommandAnswer,
    problems: [
      'customer-exists',
      'customer-erased',
      'unknown-currency',
      'unknown-time-zone',
      'invalid-external-id',
      'personal-data-unavailable',
    ],
  })
  async create(
    @Body() body: CreateCustomerBody,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    const command = new CreateCustomer({ ...body }, contextOf(request, 'CreateCustomer', dryRun === 'true'));
    return answerOf(await this.commands.execute(command, reply, (id) => `/v1/customers/${id}`));
  }

  @Patch(':customerId')
  @Commands({
    scope: 'commands:write',
    summary: 'Change what a customer’s next subscriptions and invoices begin with',
    description: 'Subscriptions and finalised invoices keep what they have.',
    answer: CommandAnswer,
    problems: [
      'customer-not-found',
      'customer-erased',
      'unknown-currency',
      'unknown-time-zone',
      'personal-data-unavailable',
    ],
  })
  async change(
    @Param() { customerId }: CustomerPath,
    @Body() body: ChangeCustomerBody,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    const context = contextOf(request, 'ChangeCustomer', dryRun === 'true');
    return answerOf(await this.commands.execute(new ChangeCustomer(customerId, { ...body }, context), reply));
  }

  @Post(':customerId/erase')
  @Commands({
    scope: 'admin',
    summary: 'Erase a customer’s personal data for ever',
    description:
      'Destroys the key that it is sealed under, and answers when the key is gone: here at once, in other processes within five seconds. Amounts, ids and the audit trail stay.',
    body: NoBody,
    answer: CommandAnswer,
    problems: ['customer-not-found'],
  })
  async erase(
    @Param() { customerId }: CustomerPath,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    refuseBody(request);
    const context = contextOf(request, 'EraseCustomer', dryRun === 'true');
    return answerOf(await this.commands.execute(new EraseCustomer(customerId, context), reply));
  }

  @Get()
  @Reads({
    scope: 'finance:read',
    summary: 'List customers in the order in which they were created',
    answer: CustomerPage,
    kind: 'list',
    problems: ['personal-data-unavailable'],
  })
  async list(@Query() query: CustomersQuery, @Req() request: FastifyRequest): Promise<CustomerPage> {
    const { minPosition, limit, ...filter } = query;
    await this.reading.waitFor(customers.name, minPosition);
    const { tenant } = principalOf(request);
    return listed(await this.queries.execute(new FindCustomers({ ...filter, tenant, limit: pageOf(limit) })));
  }

  @Get(':customerId')
  @Reads({
    scope: 'finance:read',
    summary: 'Read a customer with its personal data',
    answer: CustomerFound,
    kind: 'one',
    problems: ['customer-not-found', 'personal-data-unavailable'],
  })
  async get(
    @Param() { customerId }: CustomerPath,
    @Query() { minPosition }: ReadQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CustomerFound> {
    await this.reading.waitFor(customers.name, minPosition);
    const query = new GetCustomer(principalOf(request).tenant, customerId);
    return found(await this.queries.execute(query), 'customer-not-found', reply);
  }
}
