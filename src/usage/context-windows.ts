import { calcPrice } from '@pydantic/genai-prices';
import { PRICE_LIST_NAMES } from './prices.ts';

/** How many tokens a model's input and output may come to together, where the published price list says so. */
export function publishedContextWindow(adapter: string, model: string): number | undefined {
  const providerId = PRICE_LIST_NAMES.get(adapter);
  if (providerId === undefined) return undefined;
  return calcPrice({}, model, { providerId })?.model.context_window;
}
