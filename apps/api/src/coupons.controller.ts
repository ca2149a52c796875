import { Body, Controller, Get, Param, Post, Query, Req, Res } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApplyCoupon, ArchiveCoupon, CreateCoupon, RemoveCoupon } from '@perennial/billing-application';
import type { NewCoupon } from '@perennial/billing-domain';
import { coupons, FindCoupons, GetCoupon } from '@perennial/billing-read-models';
import {
  ApplyCouponBody,
  CouponFound,
  CouponPage,
  CouponPath,
  CouponsQuery,
  CreateCouponBody,
  SubscriptionCouponPath,
} from './coupons.dto';
import { CommandAnswer, NoBody } from './http/command-answer.dto';
import { answerOf, CommandDispatch } from './http/command-dispatch';
import { contextOf, refuseBody } from './http/command-headers';
import { found, listed } from './http/found';
import { canonicalInstant } from './http/instant';
import { Commands, Reads } from './http/operation';
import { CommandQuery, pageOf, ReadQuery, SubscriptionPath } from './http/parameters.dto';
import { principalOf } from './http/principal';
import { Reading } from './http/reading';

@ApiTags('coupons')
@Controller('v1')
export class CouponsController {
  constructor(
    private readonly commands: CommandDispatch,
    private readonly queries: QueryBus,
    private readonly reading: Reading,
  ) {}

  @Post('coupons')
  @Commands({
    scope: 'commands:write',
    summary: 'Create a coupon',
    description: 'Its terms never change: what is to be another coupon gets another code.',
    status: 201,
    answer: CommandAnswer,
    problems: ['coupon-exists', 'unknown-currency', 'invalid-price'],
  })
  async create(
    @Body() { discount, duration, periods, expiresAt, ...body }: CreateCouponBody,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    const context = contextOf(request, 'CreateCoupon', dryRun === 'true');
    const coupon = {
      ...body,
      discount: discountOf(discount),
      duration: periods === undefined ? duration : { periods },
      expiresAt: canonicalInstant(expiresAt),
    };
    return answerOf(await this.commands.execute(new CreateCoupon(coupon, context), reply, (id) => `/v1/coupons/${id}`));
  }

  @Post('coupons/:couponId/archive')
  @Commands({
    scope: 'commands:write',
    summary: 'Archive a coupon: nobody redeems it any more',
    description: 'Where it was redeemed it goes on.',
    body: NoBody,
    answer: CommandAnswer,
    problems: ['coupon-not-found'],
  })
  async archive(
    @Param() { couponId }: CouponPath,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    refuseBody(request);
    const context = contextOf(request, 'ArchiveCoupon', dryRun === 'true');
    return answerOf(await this.commands.execute(new ArchiveCoupon(couponId, context), reply));
  }

  @Get('coupons')
  @Reads({
    scope: 'finance:read',
    summary: 'List coupons in the order in which they were created',
    answer: CouponPage,
    kind: 'list',
  })
  async list(@Query() query: CouponsQuery, @Req() request: FastifyRequest): Promise<CouponPage> {
    const { minPosition, limit, ...filter } = query;
    await this.reading.waitFor(coupons.name, minPosition);
    const { tenant } = principalOf(request);
    return listed(await this.queries.execute(new FindCoupons({ ...filter, tenant, limit: pageOf(limit) })));
  }

  @Get('coupons/:couponId')
  @Reads({
    scope: 'finance:read',
    summary: 'Read a coupon and how often it was redeemed',
    answer: CouponFound,
    kind: 'one',
    problems: ['coupon-not-found'],
  })
  async get(
    @Param() { couponId }: CouponPath,
    @Query() { minPosition }: ReadQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CouponFound> {
    await this.reading.waitFor(coupons.name, minPosition);
    const query = new GetCoupon(principalOf(request).tenant, couponId);
    return found(await this.queries.execute(query), 'coupon-not-found', reply);
  }

  @Post('subscriptions/:subscriptionId/coupons')
  @Commands({
    scope: 'commands:write',
    summary: 'Apply a coupon to a subscription, from its next bill on',
    description: 'After the coupons that were applied before. A subscription redeems a coupon once.',
    status: 201,
    answer: CommandAnswer,
    problems: [
      'subscription-not-found',
      'subscription-canceled',
      'billing-held',
      'coupon-not-found',
      'coupon-archived',
      'coupon-expired',
      'coupon-exhausted',
      'coupon-busy',
      'coupon-already-applied',
      'coupon-currency-mismatch',
      'currency-in-use',
      'too-many-coupons',
      'billing-period-full',
    ],
  })
  async apply(
    @Param() { subscriptionId }: SubscriptionPath,
    @Body() { code }: ApplyCouponBody,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    const context = contextOf(request, 'ApplyCoupon', dryRun === 'true');
    const location = () => `/v1/subscriptions/${subscriptionId}`;
    return answerOf(await this.commands.execute(new ApplyCoupon(subscriptionId, code, context), reply, location));
  }

  @Post('subscriptions/:subscriptionId/coupons/:couponId/remove')
  @Commands({
    scope: 'commands:write',
    summary: 'Take a coupon off the bills to come of a subscription',
    description: 'What it took stays taken, and its redemption used.',
    body: NoBody,
    answer: CommandAnswer,
    problems: ['subscription-not-found', 'subscription-canceled', 'billing-held'],
  })
  async remove(
    @Param() { subscriptionId, couponId }: SubscriptionCouponPath,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    refuseBody(request);
    const context = contextOf(request, 'RemoveCoupon', dryRun === 'true');
    return answerOf(await this.commands.execute(new RemoveCoupon(subscriptionId, couponId, context), reply));
  }
}

function discountOf(discount: CreateCouponBody['discount']): NewCoupon['discount'] {
  if (discount.kind === 'percentage') return { kind: 'percentage', percent: discount.percent };
  return {
    kind: 'amount',
    amounts: Object.fromEntries(discount.amounts.map(({ currency, amount }) => [currency, amount])),
  };
}
