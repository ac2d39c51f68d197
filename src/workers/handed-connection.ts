import type { ChildProcess } from 'node:child_process';

/** What Node's cluster sends with a connection (`lib/internal/cluster/round_robin_handle.js`), and its answer. */
interface ClusterMessage {
  act?: string;
  seq?: number;
  ack?: number;
}

/**
 * A worker that ends while a connection is on its way to it never answers for that, and Node keeps it open: its client would wait for
 * ever. Gives what closes it, to be called when the worker is gone. Node has no word for this: where its own messages become others one day, nothing is done.
 */
export function watchConnectionOnItsWay(worker: ChildProcess): () => void {
  let onItsWay: { seq: number | undefined; close: () => void } | undefined;
  const send = worker.send as (...args: unknown[]) => boolean;
  worker.send = (...args: unknown[]) => {
    const [message, handle] = args as [ClusterMessage, { close?: () => void } | undefined];
    if (message.act === 'newconn' && typeof handle?.close === 'function')
      onItsWay = { seq: message.seq, close: () => handle.close?.() };
    return Reflect.apply(send, worker, args);
  };
  worker.on('internalMessage', ({ ack }: ClusterMessage) => {
    if (ack !== undefined && ack === onItsWay?.seq) onItsWay = undefined;
  });
  return () => onItsWay?.close();
}
