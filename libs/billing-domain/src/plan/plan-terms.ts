import { interval } from '../calendar';
import { DomainError } from '../domain-error';
import { currency } from '../money';
import { price, type Price } from '../price/price';
import { newItem, newItems, taxFields } from '../subscription/terms';
import { oneOf, text } from '../text';
import { meter } from '../usage/meter';
import { itemOf } from './component-item';
import type { PlanComponent, PlanTerms } from './events';

/** Components of a version, add-ons included. */
export const MAX_COMPONENTS = 50;

/**
 * The terms, if a subscription can be billed by them, with their prices in canonical form: component keys and meters once, a price
 * of a fitting model in every currency. Raises `incomplete-plan`, `duplicate-component` and the codes of category `invalid`.
 */
export function publishable(terms: PlanTerms): PlanTerms {
  const currencies = terms.currencies.map((code) => currency(code));
  if (currencies.length === 0 || new Set(currencies).size < currencies.length) {
    throw incomplete('a plan names its currencies, each once');
  }
  if (terms.components.length === 0) throw incomplete('a plan has components');
  if (terms.components.length > MAX_COMPONENTS) throw new DomainError('too-many-items');
  const keys = terms.components.map(({ componentKey }) => componentKey);
  const meters = terms.components.flatMap(({ meter: of }) => of?.key ?? []);
  if (new Set(keys).size < keys.length || new Set(meters).size < meters.length) {
    throw new DomainError('duplicate-component');
  }
  for (const [name, value] of Object.entries({
    trialDays: terms.trialDays,
    minimumTermPeriods: terms.minimumTermPeriods,
    noticeDays: terms.noticeDays,
    usageGraceHours: terms.usageGraceHours,
  })) {
    if (value !== undefined && (!Number.isInteger(value) || value < 0 || value > 3660)) {
      throw new DomainError('invalid-option', `${name} is a count from 0 to 3660`);
    }
  }
  // Bounds are checked as those of a price are: decimals, the minimum not above the maximum.
  for (const code of currencies) {
    const [minimum, maximum] = [terms.minimum?.[code], terms.maximum?.[code]];
    if ((terms.minimum && minimum === undefined) || (terms.maximum && maximum === undefined)) {
      throw incomplete(`minimum and maximum have an amount in ${code}`);
    }
    price({
      model: 'flat',
      unitPrice: '0',
      ...(minimum !== undefined && { minimum }),
      ...(maximum !== undefined && { maximum }),
    });
  }
  const components = terms.components.map((component) => publishableComponent(component, currencies));
  for (const code of currencies) {
    // What a subscription starts with, and each add-on by itself, is what a subscription takes.
    const items = components.map((component) => ({ component, item: itemOf(component, code) }));
    newItems(
      items.flatMap(({ component, item }) => (component.optional === true ? [] : [item])),
      '',
    );
    items.forEach(({ item }) => newItem(item, ''));
  }
  return { ...terms, interval: interval(terms.interval), currencies, components };
}

function publishableComponent(component: PlanComponent, currencies: readonly string[]): PlanComponent {
  const { kind, meter: measured } = component;
  oneOf('kind', kind, ['recurring', 'usage', 'one-time']);
  if ((kind === 'usage') !== (measured !== undefined)) throw incomplete('usage, and only that, has a meter');
  const others = Object.keys(component.prices).filter((code) => !currencies.includes(code));
  if (others.length > 0) throw incomplete(`a price in ${others.join()}, which is no currency of the plan`);
  const prices = currencies.map((code): [string, Price] => {
    const asked = component.prices[code];
    if (!asked) throw incomplete(`${component.componentKey} has no price in ${code}`);
    return [code, price(asked)];
  });
  return {
    ...component,
    componentKey: text('componentKey', component.componentKey, 100),
    description: text('description', component.description, 500),
    ...(measured !== undefined && { meter: meter(measured) }),
    ...taxFields(component),
    prices: Object.fromEntries(prices),
  };
}

const incomplete = (message: string) => new DomainError('incomplete-plan', message);
