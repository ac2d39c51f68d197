/** What of a rollout takes a second person: nothing, its start, its promotion, or both. */
export type ApprovalSetting = 'none' | 'start' | 'promote' | 'required';

/** That somebody wants a rollout started or promoted, and waits for another one to agree. It stands until it is decided, the rollout ends, or is another one to agree to. */
export interface ApprovalRequest {
  wants: 'start' | 'promote';
  /** The admin key that asked; of a rollout that came to its end by itself the one that began it. */
  by: string;
  /** Unix milliseconds. */
  at: number;
  /** The `terms` of the rollout that it was asked of. */
  terms: string;
}

export function needsApproval(setting: ApprovalSetting, wants: ApprovalRequest['wants']): boolean {
  return setting === 'required' || setting === wants;
}

/** What still waits: nobody agrees to a rollout by what it was before it was changed. Of an earlier version no request says what it was. */
export function requestOn(
  request: ApprovalRequest | undefined,
  { terms }: Pick<ApprovalRequest, 'terms'>,
): ApprovalRequest | undefined {
  return request?.terms === terms ? request : undefined;
}
