import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type ProcessStat,
  parseProcessStat,
  readTreeCpuTime,
  selectProcessTree,
  subtractCpuTime,
  sumCpuTime,
} from '../../../bench/measure/proc-stat.ts';

const skipOutsideLinux = process.platform !== 'linux' && '/proc is read on Linux only';

/** A line as the kernel writes it: pid (command) state ppid … utime is the 14th field, stime the 15th. */
const statLine = (command: string): string =>
  `4711 (${command}) S 4700 4711 4711 0 -1 4194304 9120 77 3 0 1234 567 8 9 20 0 11 0 8123 1093246976 15320 184467`;

function processOf(pid: number, parentPid: number, userTicks = 0, systemTicks = 0): ProcessStat {
  return { pid, parentPid, userTicks, systemTicks };
}

test('a stat line gives pid, parent and the ticks in user and system mode', () => {
  assert.deepEqual(parseProcessStat(statLine('node')), processOf(4711, 4700, 1234, 567));
});

test('a command with spaces and parentheses does not shift the fields', () => {
  assert.deepEqual(parseProcessStat(statLine('nginx: worker (1) R 1')), processOf(4711, 4700, 1234, 567));
});

test('anything else is refused, not read as zero', () => {
  for (const line of ['', 'cpu  1 2 3', '12 (node) S', '12 node S 1 1 1 1 1 1 1 1 1 1 1 1 1']) {
    assert.throws(() => parseProcessStat(line), /not a \/proc\/PID\/stat line/);
  }
});

test('the tree of a process is it and all its descendants, however deep and in whatever order', () => {
  const all = [processOf(30, 20), processOf(20, 10), processOf(10, 1), processOf(11, 1), processOf(40, 30)];
  const pids = selectProcessTree(all, 10).map((stat) => stat.pid);
  assert.deepEqual(pids, [10, 20, 30, 40]);
});

test('the tree of a process that is gone is empty, even where children of it are left', () => {
  assert.deepEqual(selectProcessTree([processOf(20, 10)], 10), []);
});

test('CPU time is summed over processes and given in microseconds', () => {
  const sum = sumCpuTime([processOf(1, 0, 3, 1), processOf(2, 1, 2, 0)]);
  assert.deepEqual(sum, { userUs: 50_000, systemUs: 10_000 });
});

test('what a span of time cost is the difference of its ends', () => {
  const spent = subtractCpuTime({ userUs: 900, systemUs: 500 }, { userUs: 400, systemUs: 100 });
  assert.deepEqual(spent, { userUs: 500, systemUs: 400 });
});

test('the CPU time of a running process grows with what it does', { skip: skipOutsideLinux }, () => {
  const before = readTreeCpuTime(process.pid);
  // As long as it takes: a machine under load gives no promise about how much wall time 30 ms of CPU are.
  const target = process.cpuUsage().user + 30_000;
  while (process.cpuUsage().user < target);
  assert.ok(readTreeCpuTime(process.pid).userUs > before.userUs);
});

test('the CPU time of a process that is gone cannot be read', { skip: skipOutsideLinux }, () => {
  // Above the largest pid_max that Linux allows.
  assert.throws(() => readTreeCpuTime(2 ** 22 + 1), /is gone/);
});
