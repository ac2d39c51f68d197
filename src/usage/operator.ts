/**
 * Whose the calls are that the gateway makes of its own accord (copies, rehearsals, judges): they cost the operator, and are in no tenant's sums,
 * bills or budgets. No tenant can have the name.
 */
export const OPERATOR = '(operator)';
