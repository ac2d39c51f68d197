import type { App } from '../running-app.ts';

/** What a newcomer needs, once: secrets are stored only as hashes. */
export function welcome({ url, firstSecrets }: Pick<App, 'url' | 'firstSecrets'>): string {
  const { tenant, admin } = firstSecrets ?? {};
  const parts = ['\nThis is the first start. What follows is shown once and cannot be shown again.\n'];
  if (tenant !== undefined) {
    parts.push(`
  Your key:   ${tenant}

  Try it (the model 'echo/echo' needs no provider):

    curl ${url}/v1/chat/completions \\
      -H "Authorization: Bearer ${tenant}" -H "Content-Type: application/json" \\
      -d '{"model": "echo/echo", "messages": [{"role": "user", "content": "Hello"}]}'

  Or with the OpenAI SDK:

    import OpenAI from 'openai';
    const client = new OpenAI({ baseURL: '${url}/v1', apiKey: '${tenant}' });
    const answer = await client.chat.completions.create({ model: 'echo/echo', messages: [{ role: 'user', content: 'Hello' }] });
    console.log(answer.choices[0].message.content);
`);
  }
  if (admin !== undefined) {
    parts.push(`
  Admin key:  ${admin}

    curl ${url}/admin/v1/usage -H "Authorization: Bearer ${admin}"
`);
  }
  return `${parts.join('')}\n`;
}
