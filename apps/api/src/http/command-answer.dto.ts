import { ApiProperty } from '@nestjs/swagger';

export class RecordedEventAnswer {
  /** @example "LineItemAdded" */
  readonly type!: string;
  /** Its place in the stream. */
  @ApiProperty({ type: 'string', pattern: '^\\d+$' })
  readonly revision!: string;
  @ApiProperty({ type: 'object', additionalProperties: true })
  readonly data!: object;
}

/** What a command did. The same for every repeat of its key. */
export class CommandAnswer {
  /** Of what it changed or created. */
  readonly id!: string;
  /** The revision after it, as in ETag. In a dry run the one that was decided on: -1 for what is not there yet. */
  @ApiProperty({ type: 'string', pattern: '^(-1|\\d+)$' })
  readonly revision!: string;
  /** Its position in the log: `minPosition` of a read that must see it. */
  @ApiProperty({ type: 'string', pattern: '^\\d+$' })
  readonly position!: string;
  /** The events are what it would record; nothing has been. */
  readonly dryRun!: boolean;
  /** None when it was so already. */
  @ApiProperty({ type: [RecordedEventAnswer] })
  readonly events!: readonly RecordedEventAnswer[];
}

/** A command that its path says all about: no body, or {}. */
export class NoBody {}
