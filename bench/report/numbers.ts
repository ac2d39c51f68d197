/** What stands in place of a figure that there is none of. */
export const NONE = '–';

export function renderDecimal(value: number | undefined): string {
  if (value === undefined) return NONE;
  return value.toFixed(Math.abs(value) < 10 ? 2 : 1);
}

export function renderCount(value: number | undefined): string {
  return value === undefined ? NONE : Math.round(value).toLocaleString('en-GB');
}

export function renderShare(value: number | undefined): string {
  return value === undefined ? NONE : `${Math.round(value * 100)} %`;
}
