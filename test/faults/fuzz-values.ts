import type { Random } from '../support/random';

export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[] | undefined;
  readonly enum?: readonly string[];
  readonly format?: string;
  readonly pattern?: string;
  readonly example?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly allOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}

/** Gives a plausible value for a property or parameter of this name; undefined: the schema decides. */
export type Plausible = (name: string, random: Random) => unknown;

/** Of what may be null, what else it may be. */
const typeOf = ({ type = 'string' }: Schema) =>
  typeof type === 'string' ? type : (type.find((each) => each !== 'null') ?? 'null');

/** Values as an OpenAPI document describes them. */
export class Values {
  constructor(
    private readonly components: Readonly<Record<string, Schema>>,
    private readonly random: Random,
    private readonly plausible: Plausible,
    /** How often an optional property is there. */
    private readonly optional = 0.5,
  ) {}

  resolve(schema: Schema): Schema {
    if (schema.$ref !== undefined) return this.resolve(this.components[schema.$ref.split('/').at(-1) ?? ''] ?? {});
    if (schema.oneOf) return this.resolve(this.random.pick(schema.oneOf));
    if (schema.allOf) return Object.assign({}, schema, ...schema.allOf.map((each) => this.resolve(each))) as Schema;
    return schema;
  }

  /** A value that the schema allows. */
  valid(schema: Schema, name = ''): unknown {
    const s = this.resolve(schema);
    if (s.enum) return this.random.pick(s.enum);
    const plausible = this.plausible(name, this.random);
    if (plausible !== undefined) return plausible;
    switch (typeOf(s)) {
      case 'object':
        return this.object(s);
      case 'array': {
        const length = this.random.between(s.minItems ?? 0, Math.min(s.maxItems ?? 3, 4));
        const values = Array.from({ length }, () => this.valid(s.items ?? {}, name));
        return [...new Map(values.map((value) => [JSON.stringify(value), value])).values()];
      }
      case 'integer':
      case 'number':
        return this.random.between(s.minimum ?? 0, s.maximum ?? 1_000);
      case 'boolean':
        return this.random.chance(0.5);
      default:
        return this.text(s);
    }
  }

  private object(s: Schema): object {
    const value: Record<string, unknown> = {};
    for (const [name, property] of Object.entries(s.properties ?? {}))
      if (s.required?.includes(name) || this.random.chance(this.optional)) value[name] = this.valid(property, name);
    if (typeof s.additionalProperties === 'object')
      for (let n = this.random.between(0, 3); n > 0; n -= 1)
        value[this.random.word(5)] = this.valid(s.additionalProperties);
    return value;
  }

  private text(s: Schema): string {
    if (s.format === 'uuid') return this.uuid();
    if (s.format === 'date-time') return new Date(Date.UTC(2026, 0, this.random.between(1, 700))).toISOString();
    if (s.pattern !== undefined) {
      const fitting = [
        '1',
        '1999',
        '0.04',
        '250',
        'USD',
        '2026-02-01',
        '2026-01-31T00:00:00',
        'Europe/Berlin',
        '"7"',
        'abc',
      ];
      const pattern = new RegExp(s.pattern, 'u');
      const candidates = [...(typeof s.example === 'string' ? [s.example] : []), ...fitting].filter((each) =>
        pattern.test(each),
      );
      if (candidates.length === 0) throw new Error(`no text is known for ${s.pattern}`);
      return this.random.pick(candidates);
    }
    const exotic = ['Ünïcode ✓', "O'Brien; drop table", '<b>x</b>', '=1+1', '日本', '  spaces  '];
    const text = this.random.chance(0.1) ? this.random.pick(exotic) : this.random.word(this.random.between(1, 12));
    return text.slice(0, s.maxLength ?? 40).padEnd(s.minLength ?? 0, 'x');
  }

  uuid(): string {
    const hex = Array.from({ length: 32 }, () => this.random.pick([...'0123456789abcdef'])).join('');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
  }

  /** A valid value with one thing wrong in it somewhere. */
  broken(schema: Schema): unknown {
    const s = this.resolve(schema);
    const nonsense = () =>
      this.random.pick<unknown>([
        null,
        '',
        -1,
        1e21,
        1.5,
        true,
        [],
        {},
        'x'.repeat(2_000),
        '\u0000',
        [[[]]],
        '-0',
        '1e3',
        'NaN',
      ]);
    if (typeOf(s) !== 'object' || this.random.chance(0.1)) return nonsense();
    const value = this.valid(s) as Record<string, unknown>;
    const names = Object.keys(s.properties ?? {});
    const name = names.length > 0 ? this.random.pick(names) : 'extra';
    const property = s.properties?.[name];
    const dice = this.random.next();
    if (dice < 0.25) delete value[name];
    else if (dice < 0.4) value[this.random.pick(['extra', '__proto__x', 'constructor', 'tenant'])] = nonsense();
    else if (property && dice < 0.7) value[name] = this.broken(property);
    else value[name] = nonsense();
    return value;
  }
}
