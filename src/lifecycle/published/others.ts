import type { PublishedList } from './published-list.ts';

export const ALIBABA: PublishedList = {
  source: 'https://www.alibabacloud.com/help/en/model-studio/model-depreciation',
  asOf: '2026-07-31',
  rows: [
    [['qwen-plus-2024-11-27'], undefined, '2026-01-30', 'qwen-plus-2025-12-01'],
    [['qwen-turbo-2024-09-19'], undefined, '2026-01-30', 'qwen-flash-2025-07-28'],
    [['gte-rerank'], undefined, '2026-05-30', 'qwen3-rerank'],
    [['qwen3-14b'], undefined, '2026-10-10', 'qwen3.6-flash'],
    [['qwen3-30b-a3b'], undefined, '2026-10-10', 'qwen3.7-plus'],
    [['qwen3-32b'], undefined, '2026-10-10', 'qwen3.6-flash'],
    [['qwen3-8b'], undefined, '2026-10-10', 'qwen3.6-flash'],
    [['qwen3-coder-plus'], undefined, '2026-10-10', 'qwen3.7-plus'],
    [['qwen3-max-2025-09-23'], undefined, '2026-10-10', 'qwen3.7-max'],
    [['qwen3-max-2026-01-23'], undefined, '2026-10-10', 'qwen3.7-max'],
    [['qwen3-max-preview'], undefined, '2026-10-10', 'qwen3-max'],
    [['qwen3-vl-8b-instruct'], undefined, '2026-10-10', 'qwen3.6-flash'],
    [['qwen3-vl-8b-thinking'], undefined, '2026-10-10', 'qwen3.6-flash'],
    [['qwen3-vl-flash'], undefined, '2026-10-10', 'qwen3.6-flash'],
    [['qwen3-vl-flash-2025-10-15'], undefined, '2026-10-10', 'qwen3.6-flash'],
    [['qwen3-vl-flash-2026-01-22'], undefined, '2026-10-10', 'qwen3.6-flash'],
    [['qwen3.6-max-preview'], undefined, '2026-10-10', 'qwen3.7-max'],
  ],
};

export const COHERE: PublishedList = {
  source: 'https://docs.cohere.com/docs/deprecations',
  asOf: '2026-07-31',
  rows: [
    [['rerank-english-v2.0'], '2024-12-02', '2025-04-30', 'rerank-v3.5'],
    [['rerank-multilingual-v2.0'], '2024-12-02', '2025-04-30', 'rerank-v3.5'],
    [['c4ai-aya-expanse-8b'], '2026-04-04', '2026-04-04', 'command-a-03-2025'],
    [['embed-english-light-v2.0'], '2026-04-04', '2026-04-04', 'embed-english-light-v3.0'],
    [['embed-english-v2.0'], '2026-04-04', '2026-04-04', 'embed-v4.0'],
    [['embed-multilingual-v2.0'], '2026-04-04', '2026-04-04', 'embed-v4.0'],
  ],
};

export const DEEPSEEK: PublishedList = {
  source: 'https://api-docs.deepseek.com/news/news260424',
  asOf: '2026-07-31',
  rows: [
    [['deepseek-chat'], '2026-04-24', '2026-07-24', 'deepseek-v4-flash'],
    [['deepseek-reasoner'], '2026-04-24', '2026-07-24', 'deepseek-v4-flash'],
  ],
};

export const GROQ: PublishedList = {
  source: 'https://console.groq.com/docs/deprecations',
  asOf: '2026-07-31',
  rows: [
    [['llama-3.1-70b-versatile'], undefined, '2025-01-24', 'llama-3.3-70b-versatile'],
    [['mixtral-8x7b-32768'], undefined, '2025-03-20', undefined],
    [['llama-3.1-8b-instant'], undefined, '2026-08-16', 'openai/gpt-oss-20b'],
    [['llama-3.3-70b-versatile'], undefined, '2026-08-16', 'openai/gpt-oss-120b'],
  ],
};

export const MOONSHOT: PublishedList = {
  source: 'https://platform.kimi.ai/docs/models',
  asOf: '2026-07-31',
  rows: [
    [['kimi-thinking-preview'], undefined, '2025-11-11', 'kimi-k2.6'],
    [['kimi-latest'], undefined, '2026-01-28', 'kimi-k3'],
    [['kimi-k2-0711-preview'], undefined, '2026-05-25', 'kimi-k2.6'],
    [['kimi-k2-0905-preview'], undefined, '2026-05-25', 'kimi-k2.6'],
    [['kimi-k2-thinking'], undefined, '2026-05-25', 'kimi-k2.6'],
    [['kimi-k2-thinking-turbo'], undefined, '2026-05-25', 'kimi-k2.6'],
    [['kimi-k2-turbo-preview'], undefined, '2026-05-25', 'kimi-k2.7-code-highspeed'],
    [['kimi-k2.5'], undefined, '2026-08-31', 'kimi-k2.6'],
    [['moonshot-v1-128k'], undefined, '2026-08-31', 'kimi-k2.6'],
    [['moonshot-v1-128k-vision-preview'], undefined, '2026-08-31', 'kimi-k2.6'],
    [['moonshot-v1-32k'], undefined, '2026-08-31', 'kimi-k2.6'],
    [['moonshot-v1-32k-vision-preview'], undefined, '2026-08-31', 'kimi-k2.6'],
    [['moonshot-v1-8k'], undefined, '2026-08-31', 'kimi-k2.6'],
    [['moonshot-v1-8k-vision-preview'], undefined, '2026-08-31', 'kimi-k2.6'],
  ],
};

export const XAI: PublishedList = {
  source: 'https://docs.x.ai/developers/migration/may-15-retirement',
  asOf: '2026-11-27',
  rows: [
    [['grok-3'], undefined, '2026-05-15', 'grok-4.3'],
    [['grok-4-0709'], undefined, '2026-05-15', 'grok-4.3'],
    [['grok-4-1-fast-non-reasoning'], undefined, '2026-05-15', 'grok-4.3'],
    [['grok-4-1-fast-reasoning'], undefined, '2026-05-15', 'grok-4.3'],
    [['grok-4-fast-non-reasoning'], undefined, '2026-05-15', 'grok-4.3'],
    [['grok-4-fast-reasoning'], undefined, '2026-05-15', 'grok-4.3'],
    [['grok-code-fast-1'], undefined, '2026-05-15', 'grok-4.3'],
    [['grok-build-0.1'], undefined, '2026-11-19', 'grok-4.7'],
  ],
};
