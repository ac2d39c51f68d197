/** What of a rollout takes a second person: nothing, its start, its promotion, or both. */
export type ApprovalSetting = 'none' | 'start' | 'promote' | 'required';

/** That somebody wants a rollout started or promoted, and waits for another one to agree. It stands until it is decided or the rollout ends. */
export interface ApprovalRequest {
  wants: 'start' | 'promote';
  /** The admin key that asked; of a rollout that came to its end by itself the one that began it. */
  by: string;
  /** Unix milliseconds. */
  at: number;
}

export function needsApproval(setting: ApprovalSetting, wants: ApprovalRequest['wants']): boolean {
  return setting === 'required' || setting === wants;
}
