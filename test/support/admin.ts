import assert from 'node:assert/strict';
import type { JsonObject } from '../../src/conversation/json.ts';
import { ADMIN_KEY } from './gateway.ts';

export interface AdminAnswer {
  status: number;
  body: JsonObject & { error?: { message: string; param: string | null; code: string | null } };
  revision: number;
}

export interface AdminClient {
  ask(method: string, path: string, body?: unknown): Promise<AdminAnswer>;
  /** The same, for what must go well. */
  must(method: string, path: string, body?: unknown): Promise<AdminAnswer>;
}

/** Speaks to a gateway's admin API. `url`: `http://127.0.0.1:PORT`. */
export function adminClient(url: string, key = ADMIN_KEY): AdminClient {
  const ask: AdminClient['ask'] = async (method, path, body) => {
    const response = await fetch(`${url}/admin/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      ...(body !== undefined && {
        body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
      }),
    });
    return {
      status: response.status,
      body: (await response.json()) as AdminAnswer['body'],
      revision: Number(response.headers.get('x-fairlead-revision')),
    };
  };
  return {
    ask,
    must: async (method, path, body) => {
      const answer = await ask(method, path, body);
      assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
      return answer;
    },
  };
}

/** Has every credential that was rejected tried again by the next call: for tests whose scripts reject it on purpose. */
export async function readmitCredentials(url: string): Promise<void> {
  const admin = adminClient(url);
  const { body } = await admin.must('GET', '/providers');
  for (const { name } of body['data'] as { name: string }[]) {
    const { body: list } = await admin.must('GET', `/providers/${name}/accounts`);
    for (const account of list['data'] as { name: string; credential: string }[]) {
      if (account.credential !== 'rejected') continue;
      await admin.must('POST', `/providers/${name}/accounts/${account.name}/probe`);
    }
  }
}
