import type { PublishedList } from './published-list.ts';

/** Of what Anthropic runs itself: Amazon and Google have dates of their own. */
export const ANTHROPIC: PublishedList = {
  source: 'https://platform.claude.com/docs/en/about-claude/model-deprecations',
  asOf: '2026-11-26',
  rows: [
    [['claude-1.0'], '2024-09-04', '2024-11-06', 'claude-haiku-4-5-20251001'],
    [['claude-1.1'], '2024-09-04', '2024-11-06', 'claude-haiku-4-5-20251001'],
    [['claude-1.2'], '2024-09-04', '2024-11-06', 'claude-haiku-4-5-20251001'],
    [['claude-1.3'], '2024-09-04', '2024-11-06', 'claude-haiku-4-5-20251001'],
    [['claude-instant-1.0'], '2024-09-04', '2024-11-06', 'claude-haiku-4-5-20251001'],
    [['claude-instant-1.1'], '2024-09-04', '2024-11-06', 'claude-haiku-4-5-20251001'],
    [['claude-instant-1.2'], '2024-09-04', '2024-11-06', 'claude-haiku-4-5-20251001'],
    [['claude-2.0'], '2025-01-21', '2025-07-21', 'claude-opus-4-8'],
    [['claude-2.1'], '2025-01-21', '2025-07-21', 'claude-opus-4-8'],
    [['claude-3-sonnet-20240229'], '2025-01-21', '2025-07-21', 'claude-sonnet-4-6'],
    [['claude-3-5-sonnet-20240620'], '2025-08-13', '2025-10-28', 'claude-sonnet-4-6'],
    [['claude-3-5-sonnet-20241022'], '2025-08-13', '2025-10-28', 'claude-sonnet-4-6'],
    [['claude-3-opus-20240229'], '2025-06-30', '2026-01-05', 'claude-opus-4-8'],
    [
      ['claude-3-5-haiku-20241022', 'claude-3-5-haiku-latest'],
      '2025-12-19',
      '2026-02-19',
      'claude-haiku-4-5-20251001',
    ],
    [
      ['claude-3-7-sonnet-20250219', 'claude-3-7-sonnet-latest'],
      '2025-10-28',
      '2026-02-19',
      'claude-sonnet-4-6',
    ],
    [['claude-3-haiku-20240307'], '2026-02-19', '2026-04-20', 'claude-haiku-4-5-20251001'],
    [['claude-opus-4-20250514', 'claude-opus-4-0'], '2026-04-14', '2026-06-15', 'claude-opus-4-8'],
    [['claude-sonnet-4-20250514', 'claude-sonnet-4-0'], '2026-04-14', '2026-06-15', 'claude-sonnet-4-6'],
    [['claude-opus-4-1-20250805', 'claude-opus-4-1'], '2026-06-05', '2026-08-05', 'claude-opus-4-8'],
    [['claude-opus-4-5-20251101', 'claude-opus-4-5'], '2026-11-23', '2027-01-22', 'claude-opus-5-5'],
  ],
};
