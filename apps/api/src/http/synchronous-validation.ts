import { ValidationPipe, type ValidationError } from '@nestjs/common';
import { getMetadataStorage, type MetadataStorage, validateSync, type ValidatorOptions } from 'class-validator';

/** No DTO validates asynchronously: promises for each object and property would be made for nothing. */
export class SynchronousValidation extends ValidationPipe {
  constructor(...options: ConstructorParameters<typeof ValidationPipe>) {
    super(...options);
    rememberRules(getMetadataStorage());
  }

  protected override validate(object: object, options?: ValidatorOptions): ValidationError[] {
    return validateSync(object, options);
  }
}

type Gather = MetadataStorage['getTargetValidationMetadatas'];
const remembering = new WeakSet<MetadataStorage>();

/**
 * class-validator gathers the rules of an object's class from those of all classes, for each object again. They are fixed
 * once a class stands, so that it is enough to do so once for each class.
 */
function rememberRules(storage: MetadataStorage): void {
  if (remembering.has(storage)) return;
  remembering.add(storage);
  const gather: Gather = storage.getTargetValidationMetadatas.bind(storage);
  const known = new WeakMap<object, ReturnType<Gather>>();
  storage.getTargetValidationMetadatas = (target, schema, always, strictGroups, groups) => {
    if (typeof target !== 'function' || schema !== undefined || always || strictGroups || groups) {
      return gather(target, schema, always, strictGroups, groups);
    }
    let rules = known.get(target);
    if (!rules) {
      rules = gather(target, schema, always, strictGroups, groups);
      known.set(target, rules);
    }
    return rules;
  };
}
