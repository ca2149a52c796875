import { Body, Controller, Get, Put } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { ClockCannotGoBack, StoredTestClock } from '@perennial/event-sourcing';
import { EdgeProblem } from './http/edge-problem';
import { canonicalInstant } from './http/instant';
import { Reads } from './http/operation';
import { SetTestClockBody, TestClockAnswer } from './test-clock.dto';

/** The business clock of all processes, for tests; there only with --test-clock, which production refuses. */
@ApiTags('test-clock')
@Controller('v1/test-clock')
export class TestClockController {
  constructor(private readonly clock: StoredTestClock) {}

  @Get()
  @Reads({ scope: 'admin', summary: 'Read the business time', answer: TestClockAnswer })
  async read(): Promise<TestClockAnswer> {
    return { now: await this.clock.now() };
  }

  @Put()
  @Reads({
    scope: 'admin',
    summary: 'Set the business time',
    description: 'Setting it to where it stands changes nothing.',
    answer: TestClockAnswer,
    problems: [
      'malformed-request',
      'invalid-request',
      'clock-cannot-go-back',
      'body-too-large',
      'unsupported-media-type',
    ],
  })
  async set(@Body() { now }: SetTestClockBody): Promise<TestClockAnswer> {
    try {
      return { now: await this.clock.set(canonicalInstant(now)) };
    } catch (error) {
      if (error instanceof ClockCannotGoBack) throw new EdgeProblem('clock-cannot-go-back', error.message);
      throw error;
    }
  }
}
