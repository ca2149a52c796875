import { ApiProperty } from '@nestjs/swagger';
export class LiveAnswer {
  readonly status!: 'live';
}

export class ReadinessCheckAnswer {
  readonly name!: string;
  readonly ok!: boolean;
  readonly reason?: string;
}

export class ReadyAnswer {
  readonly status!: 'ready' | 'not-ready';
  @ApiProperty({ type: [ReadinessCheckAnswer] })
  readonly checks!: readonly ReadinessCheckAnswer[];
}
