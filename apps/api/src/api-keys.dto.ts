import { ArrayMaxSize, ArrayMinSize, ArrayUnique, IsArray, IsIn, IsUUID } from 'class-validator';
import { CommandAnswer } from './http/command-answer.dto';
import { IsText } from './http/fields';
import { type Scope, scopes } from './http/principal';

export class CreateApiKeyBody {
  /** What it is for. */
  @IsText(100)
  readonly name!: string;

  /** What it may do. */
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(4)
  @ArrayUnique()
  @IsIn(scopes, { each: true })
  readonly scopes!: Scope[];
}

export class ApiKeyPath {
  @IsUUID()
  readonly apiKeyId!: string;
}

export class CreatedApiKeyAnswer extends CommandAnswer {
  /** The key itself, in the first answer only: it is stored nowhere. */
  readonly token?: string;
}
