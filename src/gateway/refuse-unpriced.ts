import { type GatewayError, invalidRequest } from '../conversation/gateway-error.ts';
import type { NamedModel } from '../dialects/named-models.ts';
import type { AskedTier } from '../dialects/tiers.ts';

/*
 * Whoever has a budget could go beyond it by what nobody can price.
 */

export function tierWithoutPrice(model: string, { tier, param }: AskedTier): GatewayError {
  return invalidRequest(
    `'${param}' asks for the tier '${tier}', whose price for '${model}' is not known, and money is limited here. Leave it out, or have the operator set the tier's price.`,
    param,
    'tier_without_price',
  );
}

export function modelWithoutPrice({ model, path }: NamedModel): GatewayError {
  const which = model === undefined ? 'a model that it does not name' : `the model '${model}'`;
  return invalidRequest(
    `'${path}' has ${which} used, whose price is not known, and money is limited here. Leave it out, or name one whose price the operator has set.`,
    path,
    'model_without_price',
  );
}
