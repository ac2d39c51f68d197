import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { GatewayError } from '../conversation/gateway-error.ts';

const READ_BYTES = 64 * 1024;

/** Where uploads wait on disk until it is known where they go. Its files have no name: what dies with the process is gone. */
export class Spool {
  readonly #directory: string;
  readonly #maxBytes: number;
  #bytes = 0;

  /** `maxBytes`: of all uploads together. */
  constructor(directory: string, maxBytes: number) {
    this.#directory = directory;
    this.#maxBytes = maxBytes;
  }

  async open(): Promise<SpoolFile> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const path = join(this.#directory, randomUUID());
    const handle = await open(path, 'wx+', 0o600);
    await unlink(path);
    return new SpoolFile(handle, (bytes) => this.#reserve(bytes));
  }

  #reserve(bytes: number): void {
    if (this.#bytes + bytes > this.#maxBytes) {
      throw new GatewayError('overloaded', 'Too many uploads are waiting; try again.', {
        retryAfterMs: 1000,
      });
    }
    this.#bytes += bytes;
  }
}

export class SpoolFile {
  readonly #handle: FileHandle;
  readonly #reserve: (bytes: number) => void;
  #length = 0;
  #closed = false;

  constructor(handle: FileHandle, reserve: (bytes: number) => void) {
    this.#handle = handle;
    this.#reserve = reserve;
  }

  /** @throws GatewayError `overloaded` */
  async append(chunk: Buffer): Promise<void> {
    if (this.#closed) throw new Error('the spool file is closed');
    this.#reserve(chunk.length);
    this.#length += chunk.length;
    await this.#handle.appendFile(chunk);
  }

  async *read(): AsyncGenerator<Buffer> {
    for (let at = 0; at < this.#length; ) {
      const { bytesRead, buffer } = await this.#handle.read(Buffer.alloc(READ_BYTES), 0, READ_BYTES, at);
      if (bytesRead === 0) throw new Error('the spool file is shorter than what was written to it');
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#reserve(-this.#length);
    await this.#handle.close();
  }
}
