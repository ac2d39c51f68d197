import type { PublishedList } from './published-list.ts';

export const GEMINI: PublishedList = {
  source: 'https://ai.google.dev/gemini-api/docs/deprecations',
  asOf: '2026-11-10',
  rows: [
    [['imagen-3.0-generate-002'], undefined, '2025-11-10', 'imagen-4.0-generate-001'],
    [['gemini-2.5-flash-preview-05-20'], undefined, '2025-11-18', 'gemini-3.6-flash'],
    [['gemini-2.5-pro-preview-03-25'], undefined, '2025-12-02', 'gemini-3.1-pro-preview'],
    [['gemini-2.5-pro-preview-05-06'], undefined, '2025-12-02', 'gemini-3.1-pro-preview'],
    [['gemini-2.5-pro-preview-06-05'], undefined, '2025-12-02', 'gemini-3.1-pro-preview'],
    [
      ['gemini-2.0-flash-lite-preview', 'gemini-2.0-flash-lite-preview-02-05'],
      undefined,
      '2025-12-09',
      'gemini-2.5-flash-lite',
    ],
    [['gemini-2.0-flash-live-001'], undefined, '2025-12-09', 'gemini-3.1-flash-live-preview'],
    [['text-embedding-004'], undefined, '2026-01-14', 'gemini-embedding-001'],
    [['gemini-2.5-flash-preview-09-25'], undefined, '2026-02-17', 'gemini-3.6-flash'],
    [['gemini-3-pro-preview'], undefined, '2026-03-09', 'gemini-3.1-pro-preview'],
    [['gemini-2.5-flash-lite-preview-09-2025'], undefined, '2026-03-31', 'gemini-3.1-flash-lite'],
    [['gemini-3.1-flash-lite-preview'], undefined, '2026-05-25', 'gemini-3.1-flash-lite'],
    [['gemini-2.0-flash', 'gemini-2.0-flash-001'], undefined, '2026-06-01', 'gemini-3.6-flash'],
    [
      ['gemini-2.0-flash-lite', 'gemini-2.0-flash-lite-001'],
      undefined,
      '2026-06-01',
      'gemini-3.1-flash-lite',
    ],
    [['gemini-1.5-flash', 'gemini-1.5-flash-002'], undefined, '2026-06-17', 'gemini-2.5-flash'],
    [['gemini-1.5-pro', 'gemini-1.5-pro-002'], undefined, '2026-06-17', 'gemini-2.5-pro'],
    [['gemini-2.5-flash'], undefined, '2026-12-01', 'gemini-3.5-flash-lite'],
    [['gemini-2.5-pro'], undefined, '2026-12-01', 'gemini-3.8-flash'],
  ],
};

export const VERTEX: PublishedList = {
  source: 'https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/model-versions',
  asOf: '2026-07-30',
  rows: [
    [['gemini-2.5-flash'], undefined, '2026-10-20', 'gemini-3.5-flash-lite'],
    [['gemini-2.5-flash-lite'], undefined, '2026-10-20', 'gemini-3.1-flash-lite'],
    [['gemini-2.5-pro'], undefined, '2026-10-20', 'gemini-3.5-flash'],
  ],
};
