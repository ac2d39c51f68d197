import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findCommand, findFreePort, startServing } from '../processes.ts';
import type { Subject } from './subject.ts';

/** nginx as the plainest of reverse proxies: what it costs to pass bytes on and do nothing with them. */
export const nginx: Subject = {
  name: 'nginx',
  needsNoWarmUp: true,

  findMissing: () =>
    findCommand('nginx') === undefined ? 'nginx is not installed: apt-get install nginx-light' : undefined,

  async start({ upstreamPort, directory, cpus }) {
    const command = findCommand('nginx');
    if (command === undefined) throw new Error('nginx is not installed');
    const port = await findFreePort();
    const configFile = join(directory, 'nginx.conf');
    writeFileSync(configFile, renderConfig({ port, upstreamPort, directory }));
    const { process, startMs } = await startServing(
      {
        command,
        args: ['-p', directory, '-c', configFile, '-e', join(directory, 'error.log')],
        cpus,
        logFile: join(directory, 'nginx.log'),
      },
      `http://127.0.0.1:${port}/bench-ready`,
      5_000,
    );
    return { port, process, startMs, version: readVersion(command) };
  },
};

/**
 * One worker, connections to the upstream kept, no access log. Answers are not buffered, since a proxy in front of a
 * model cannot hold streams back; request bodies stay in memory, where the default would write the large ones to disk.
 */
function renderConfig(at: { port: number; upstreamPort: number; directory: string }): string {
  return `
daemon off;
worker_processes 1;
pid ${at.directory}/nginx.pid;
events { worker_connections 16384; }
http {
  access_log off;
  client_body_temp_path ${at.directory}/client-body;
  proxy_temp_path ${at.directory}/proxy;
  fastcgi_temp_path ${at.directory}/fastcgi;
  uwsgi_temp_path ${at.directory}/uwsgi;
  scgi_temp_path ${at.directory}/scgi;
  client_max_body_size 32m;
  client_body_buffer_size 2m;
  keepalive_requests 100000000;
  upstream bench {
    server 127.0.0.1:${at.upstreamPort};
    keepalive 1024;
    keepalive_requests 100000000;
  }
  server {
    listen 127.0.0.1:${at.port} backlog=4096;
    location = /bench-ready { return 204; }
    location / {
      proxy_pass http://bench;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }
  }
}
`;
}

/** nginx prints its version to stderr: `nginx version: nginx/1.22.1`. */
function readVersion(command: string): string {
  const { stderr } = spawnSync(command, ['-v'], { encoding: 'utf8' });
  return /nginx\/(\S+)/.exec(stderr)?.[1] ?? 'unknown';
}
