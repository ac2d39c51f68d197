import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAddressList } from '../../../src/upstream/addresses/address-list.ts';

const plain = { weight: 1, priority: 0 };

const LISTS: [string, string, object[]][] = [
  [
    'lines, with comments and empty ones',
    '# our GPUs\n10.0.0.7:8000\n\n  gpu-8.example:8000  # the new one\r\n[fd00::9]:8000\nfd00::9\n10.0.0.10\n',
    [
      { host: '10.0.0.7', port: 8000, ...plain },
      { host: 'gpu-8.example', port: 8000, ...plain },
      { host: 'fd00::9', port: 8000, ...plain },
      { host: 'fd00::9', ...plain },
      { host: '10.0.0.10', ...plain },
    ],
  ],
  [
    'URLs, whose servers go by their own names',
    'https://gpu-7.example:8443\nhttp://[fd00::7]:8000/v1\n',
    [
      { scheme: 'https:', host: 'gpu-7.example', port: 8443, path: '/', ...plain },
      { scheme: 'http:', host: 'fd00::7', port: 8000, path: '/v1', ...plain },
    ],
  ],
  [
    'a list of JSON',
    '["10.0.0.7:8000", {"address": "10.0.0.8:8000", "weight": 3}, {"address": "http://x:1", "priority": 1}]',
    [
      { host: '10.0.0.7', port: 8000, ...plain },
      { host: '10.0.0.8', port: 8000, weight: 3, priority: 0 },
      { scheme: 'http:', host: 'x', port: 1, path: '/', weight: 1, priority: 1 },
    ],
  ],
  ['an object of JSON', '{"addresses": ["a:1"]}', [{ host: 'a', port: 1, ...plain }]],
  [
    'target groups of Prometheus',
    '[{"targets": ["10.0.0.7:8000", "10.0.0.8:8000"], "labels": {"zone": "a"}}]',
    [
      { host: '10.0.0.7', port: 8000, ...plain },
      { host: '10.0.0.8', port: 8000, ...plain },
    ],
  ],
  [
    "Consul's health endpoint, without what fails its checks",
    JSON.stringify([
      {
        Node: { Node: 'n1', Address: '10.1.0.1' },
        Service: { ID: 'vllm-1', Address: '10.1.0.7', Port: 8000, Weights: { Passing: 10, Warning: 1 } },
        Checks: [{ Status: 'passing' }, { Status: 'passing' }],
      },
      {
        Node: { Node: 'n2', Address: '10.1.0.2' },
        Service: { ID: 'vllm-2', Address: '', Port: 8000, Weights: { Passing: 10, Warning: 1 } },
        Checks: [{ Status: 'passing' }, { Status: 'warning' }],
      },
      {
        Node: { Node: 'n3', Address: '10.1.0.3' },
        Service: { ID: 'vllm-3', Address: '', Port: 8000 },
        Checks: [{ Status: 'critical' }],
      },
    ]),
    [
      { host: '10.1.0.7', port: 8000, weight: 10, priority: 0 },
      { host: '10.1.0.2', port: 8000, weight: 1, priority: 0 },
    ],
  ],
  [
    "Consul's catalogue",
    JSON.stringify([
      { Address: '10.1.0.1', ServiceAddress: '10.1.0.7', ServicePort: 8000, ServiceWeights: { Passing: 2 } },
      { Address: '10.1.0.2', ServiceAddress: '', ServicePort: 8001 },
    ]),
    [
      { host: '10.1.0.7', port: 8000, weight: 2, priority: 0 },
      { host: '10.1.0.2', port: 8001, ...plain },
    ],
  ],
  ['nothing at all', '\n# none at the moment\n', []],
  ['an empty list', '[]', []],
];

for (const [what, text, addresses] of LISTS) {
  test(`what is read of ${what}`, () => assert.deepEqual(readAddressList(text), addresses));
}

const BROKEN: [string, string][] = [
  ['10.0.0.7:8000\n\nnot an address\n', 'line 3 is no address'],
  ['10.0.0.7:99999', 'line 1 is no address'],
  ['10.0.0.7.1:80', 'line 1 is no address'],
  ['[10.0.0.7]:80', 'line 1 is no address'],
  ['http://user:secret@x/', 'line 1 is no address'],
  ['http://x/?a=1', 'line 1 is no address'],
  ['["a:1"', 'broken JSON'],
  ['{"addresses": [', 'broken JSON'],
  ['{"error": "no such service"}', 'a JSON object without a list of addresses'],
  ['[{"address": "a:1", "weight": -1}]', 'entry 1 is no address'],
  ['["a:1", {"address": "a:1", "weight": "2"}]', 'entry 2 is no address'],
  ['[{"targets": ["a:1", "b c"]}]', 'entry 1 is no address'],
  ['[7]', 'entry 1 is no address'],
  ['[{"Service": {"Port": 8000}}]', 'entry 1 is no address'],
  ['<html><body>502 Bad Gateway</body></html>', 'line 1 is no address'],
  [Array.from({ length: 1001 }, (_, index) => `a${index}:1`).join('\n'), 'more than 1000 addresses'],
];

for (const [text, message] of BROKEN) {
  test(`a list is refused as a whole: ${JSON.stringify(text.slice(0, 40))}`, () =>
    assert.throws(() => readAddressList(text), { message }));
}
