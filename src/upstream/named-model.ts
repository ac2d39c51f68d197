import type { DialectName } from '../conversation/conversation.ts';
import type { NamedModel } from '../dialects/model-names.ts';
import type { ProviderDeclaration } from './provider.ts';

/** A model of a provider as the codec of a dialect that it speaks is told of it: which it is, and what it takes, the codec knows by that. */
export function namedModel(
  { publisher, dialect: own, names = 'anyone' }: ProviderDeclaration,
  dialect: DialectName,
  model: string,
): NamedModel {
  const path = publisher !== undefined && dialect === own ? `publishers/${publisher}/models/` : '';
  return { name: path + model, names };
}
