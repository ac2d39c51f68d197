import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';

/** Debian puts it where the PATH of an ordinary user does not look. */
const FOLDERS = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin'];

/** Why there is no nginx to test with; to be given to a test as `skip`. */
export const nginxMissing: string | false = findMissing();

function findNginx(): string | undefined {
  return FOLDERS.map((folder) => join(folder, 'nginx')).find((path) => existsSync(path));
}

function findMissing(): string | false {
  if (findNginx() !== undefined) return false;
  // A machine that is only for tests may have it installed: Debian's package, as root.
  if (process.getuid?.() === 0) {
    spawnSync('apt-get', ['install', '-y', '--no-install-recommends', 'nginx-light'], {
      stdio: 'ignore',
      timeout: 180_000,
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
    });
    if (findNginx() !== undefined) return false;
  }
  const reason = 'SKIPPED: there is no nginx here. Install it (apt-get install nginx-light).';
  process.stderr.write(`${reason}\n`);
  return reason;
}

/**
 * A real nginx in front of servers on these ports, by turns, as documented: it retries what no server has begun. Which of them answered is
 * in the header `x-served-by`. It ends with the test. Gives its URL.
 */
export async function startNginx(context: TestContext, ports: readonly number[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-nginx-'));
  const port = await freePort();
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, renderConfig(folder, port, ports));
  const nginx = spawn(findNginx() ?? 'nginx', ['-p', folder, '-c', file, '-e', join(folder, 'error.log')], {
    stdio: 'inherit',
  });
  const ended = once(nginx, 'exit');
  context.after(async () => {
    nginx.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; !(await answers(url)); tries++) {
    if (tries > 200 || nginx.exitCode !== null) throw new Error('nginx does not answer');
    await sleep(25);
  }
  return url;
}

async function answers(url: string): Promise<boolean> {
  return fetch(`${url}/healthz`).then(
    async (response) => {
      await response.arrayBuffer();
      return response.ok;
    },
    () => false,
  );
}

function renderConfig(folder: string, port: number, ports: readonly number[]): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
events { worker_connections 1024; }
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n  ')}
  upstream instances {
    ${ports.map((each) => `server 127.0.0.1:${each};`).join('\n    ')}
    keepalive 32;
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://instances;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      add_header x-served-by $upstream_addr always;
    }
  }
}
`;
}
