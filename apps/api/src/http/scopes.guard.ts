import { type CanActivate, type ExecutionContext, Injectable, SetMetadata } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { EdgeProblem } from './edge-problem';
import { type Scope, principalOf } from './principal';

const required = 'perennial:scope';

/** What a route needs: a scope, any valid key, or nothing at all (health). A route without this answers nobody. */
export const Requires = (scope: Scope | 'any-key' | 'nothing') => SetMetadata(required, scope);

/** Lets a request through when its key has the route's scope; a route that names none is a mistake and stays shut. */
@Injectable()
export class ScopesGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const scope = this.reflector.getAllAndOverride<Scope | 'any-key' | 'nothing' | undefined>(required, [
      context.getHandler(),
      context.getClass(),
    ]);
    if (scope === 'nothing' || scope === 'any-key') return true;
    if (scope === undefined) throw new Error(`${context.getClass().name} has a route that names no scope`);
    const { scopes } = principalOf(context.switchToHttp().getRequest<FastifyRequest>());
    if (!scopes.includes(scope)) throw new EdgeProblem('insufficient-scope', `This needs the scope ${scope}.`);
    return true;
  }
}
