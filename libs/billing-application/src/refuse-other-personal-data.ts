import { personalData, sameJson, type Personal, type PersonalData } from '@perennial/billing-domain';
import {
  ERASED,
  KeyReused,
  type Change,
  type DataKeys,
  type DomainEvent,
  type StoredPersonal,
} from '@perennial/event-sourcing';

/**
 * Whether a repeat asks for the personal data that was recorded: the fingerprint of a command says nothing of it, since a
 * hash of a name or an address can be guessed. Once the key is destroyed nobody can tell, and the repeat gets the first
 * answer. Throws KeyReused, and what opening throws.
 */
export async function refuseOtherPersonalData(
  keys: DataKeys,
  { repeated, events }: Change<DomainEvent>,
  key: string,
  asked: PersonalData | undefined,
): Promise<void> {
  if (!repeated) return;
  const recorded = events
    .map(({ event }) => (event.data as { personal?: Personal<PersonalData> }).personal)
    .find((personal) => personal !== undefined);
  if (recorded === undefined && asked === undefined) return;
  if (recorded === undefined || asked === undefined) throw new KeyReused(key);
  const opened = await keys.open(recorded as StoredPersonal);
  if (opened !== ERASED && !sameJson(opened as object, personalData(asked))) throw new KeyReused(key);
}
