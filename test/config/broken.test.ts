import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatProblem } from '../../src/config/problem.ts';
import { problemsOf } from './support.ts';

/** What is set when the configs below are read; the names only, never the values, may be in a message. */
const ENV = { FAIRLEAD_ADMIN_KEY: 'sk-fl-admin-key', WORD: 'eighty', NUMBER: '4711', PORT_TEXT: '8080' };

const MODEL = 'models: { a: { targets: [echo/echo] } }\n';

/** A config and everything that is wrong with it, line by line. */
const BROKEN: [string, string[]][] = [
  [
    'models: { a: { targets: [{ target: echo/echo, parameters: { temprature: 1 } }] } }\n',
    ['1:61: models.a.targets[0].parameters.temprature: unknown key; did you mean "temperature"?'],
  ],
  [
    'models: { a: { targets: [{ target: echo/echo, parameters: { temperature: 3, maxOutputTokens: 0 } }] } }\n',
    [
      '1:74: models.a.targets[0].parameters.temperature: expected a number from 0 to 2, found 3',
      '1:94: models.a.targets[0].parameters.maxOutputTokens: expected a whole number of at least 1, found 0',
    ],
  ],
  ['- a\n', ['1:1: expected a mapping, found a list']],
  ['just text\n', ['1:1: expected a mapping, found text (not shown)']],
  ['servr: {}\n', ['1:1: servr: unknown key; did you mean "server"?']],
  [
    'nonsense: {}\n',
    [
      '1:1: nonsense: unknown key; known at the top: server, store, state, stateTimeout, onStateLoss, providers, models, prices, tenants, issuers, adminKeys, webhooks, alerts, rollouts, lifecycle, prompts, responses, logging',
    ],
  ],
  ['server: { bodyLimt: 1mb }\n', ['1:11: server.bodyLimt: unknown key; did you mean "bodyLimit"?']],
  ['server:\n', ['1:8: server: expected a mapping, found nothing after the colon']],
  ['server: []\n', ['1:1: server: expected a mapping, found an empty list']],
  ['server: { port: 70000 }\n', ['1:17: server.port: expected a whole number from 0 to 65535, found 70000']],
  ['server: { port: 80.5 }\n', ['1:17: server.port: expected a whole number from 0 to 65535, found 80.5']],
  [
    `server:\n  port: \${WORD}\n`,
    [`2:9: server.port: expected a whole number from 0 to 65535, found the value of \${WORD} (not shown)`],
  ],
  [
    `server: { port: "\${PORT_TEXT}" }\n`,
    [
      `1:17: server.port: expected a whole number from 0 to 65535, found the value of \${PORT_TEXT} (not shown); write the placeholder without quotes, outside of { } and [ ]`,
    ],
  ],
  [
    'server: { port: "8080" }\n',
    ['1:17: server.port: expected a whole number from 0 to 65535, found "8080"; write it without quotes'],
  ],
  [
    `server:\n  host: \${NUMBER}\n`,
    [
      `2:9: server.host: expected an address to listen on, found the value of \${NUMBER} (not shown); put the placeholder in quotes`,
    ],
  ],
  [
    'server: { host: 1 }\n',
    ['1:17: server.host: expected an address to listen on, found 1; put it in quotes'],
  ],
  [
    'server: { host: "" }\n',
    ['1:17: server.host: expected an address to listen on that is not empty, found ""'],
  ],
  [
    'server: { bodyLimit: 32 }\n',
    ['1:22: server.bodyLimit: expected a size such as 512kb, 32mb or 1gb, found 32'],
  ],
  [
    'server: { bodyLimit: 32m }\n',
    ['1:22: server.bodyLimit: expected a size such as 512kb, 32mb or 1gb, found "32m"'],
  ],
  [
    'server: { drainTimeout: 30 }\n',
    ['1:25: server.drainTimeout: expected a duration such as 500ms, 30s, 10m, 1h or 7d, found 30'],
  ],
  [
    'server: { workers: many }\n',
    ['1:20: server.workers: expected a whole number from 1 to 1024, or auto, found "many"'],
  ],
  [
    'server: { workers: 2 }\n',
    [
      '1:20: server.workers: several workers count calls together in a Redis: set `state` to redis://…, or `workers` to 1',
    ],
  ],
  [
    'server: { workers: auto }\nstate: memory\nstore: sqlite::memory:\n',
    [
      '1:20: server.workers: several workers count calls together in a Redis: set `state` to redis://…, or `workers` to 1',
      '1:20: server.workers: several workers share a store, and sqlite::memory: is one for each: name a file or a PostgreSQL',
    ],
  ],
  ['server: { workers: 0 }\n', ['1:20: server.workers: expected a whole number from 1 to 1024, found 0']],
  [
    'logging: { level: verbose }\n',
    ['1:19: logging.level: expected one of trace, debug, info, warn, error, fatal, silent, found "verbose"'],
  ],
  [
    'logging: { level: waarn }\n',
    [
      '1:19: logging.level: expected one of trace, debug, info, warn, error, fatal, silent, found "waarn"; did you mean "warn"?',
    ],
  ],
  ['store: mysql://db\n', ['1:8: store: expected sqlite:PATH or postgres://…, found text (not shown)']],
  ['state: memcached:11211\n', ['1:8: state: expected memory or redis://…, found text (not shown)']],
  [
    'providers: { opnai: {} }\n',
    [
      '1:14: providers.opnai: is no built-in provider: write `adapter`, one of openai, gemini, anthropic, openai-compatible, echo; did you mean "openai"?',
    ],
  ],
  [
    'providers: { mine: { adapter: openai-compatble } }\n',
    [
      '1:31: providers.mine.adapter: expected one of openai, gemini, anthropic, openai-compatible, echo, found "openai-compatble"; did you mean "openai-compatible"?',
    ],
  ],
  [
    'providers: { mine: { adapter: openai-compatible } }\n',
    ['1:14: providers.mine: baseUrl is missing: openai-compatible has no address of its own'],
  ],
  [
    'providers: { openai: {} }\n',
    ['1:14: providers.openai: has no key: write accounts, or set OPENAI_API_KEY'],
  ],
  [
    'providers: { openai-eu: { adapter: openai } }\n',
    ['1:14: providers.openai-eu: has no key: write accounts'],
  ],
  [
    'providers: { prompt: { adapter: echo } }\n',
    ['1:14: providers.prompt: prompt/NAME is how clients reach prompts: choose another name'],
  ],
  [
    'providers: { "my provider": { adapter: echo } }\n',
    [
      '1:14: providers["my provider"]: expected a name of letters, digits, ".", "_" and "-", starting with a letter or digit',
    ],
  ],
  [
    'providers: { openai: { accounts: [] } }\n',
    ['1:24: providers.openai.accounts: expected at least one account'],
  ],
  [
    'providers: { openai: { accounts: [{ apiKey: k }] } }\n',
    [
      '1:35: providers.openai.accounts[0].name: expected a name of letters, digits, ".", "_" and "-", starting with a letter or digit, found nothing',
    ],
  ],
  [
    'providers: { openai: { accounts: [{ name: a, apiKey: k }, { name: a, apiKey: k }] } }\n',
    ['1:67: providers.openai.accounts[1].name: has the same name as providers.openai.accounts[0]'],
  ],
  [
    'providers: { openai: { accounts: [{ name: a, apiKey: k, apiKeyFile: f }] } }\n',
    [
      '1:35: providers.openai.accounts[0]: expected one of apiKey, apiKeyFile, aws, google, entra, not several',
    ],
  ],
  [
    'providers: { openai: { accounts: [{ name: a, apiKey: 12 }] } }\n',
    [
      '1:54: providers.openai.accounts[0].apiKey: expected a credential of printable ASCII characters without spaces around it, found a number (not shown); put it in quotes',
    ],
  ],
  [
    `providers: { openai: { accounts: [{ name: a, apiKey: "\${NOPE}" }] } }\n`,
    [
      `1:54: providers.openai.accounts[0].apiKey: the environment variable NOPE is not set: set it, or write \${NOPE:-default}`,
    ],
  ],
  [
    'providers: { openai: { accounts: [{ name: a, apiKey: schlüssel }] } }\n',
    [
      '1:54: providers.openai.accounts[0].apiKey: expected a credential of printable ASCII characters without spaces around it, found text (not shown)',
    ],
  ],
  [
    'providers: { openai: { accounts: [{ name: a, apiKey: "tab\\tbed" }] } }\n',
    [
      '1:54: providers.openai.accounts[0].apiKey: expected a credential of printable ASCII characters without spaces around it, found text (not shown)',
    ],
  ],
  [
    'providers: { openai: { accounts: [{ name: a, apiKey: k, organization: "ä", project: "a\\nb" }] } }\n',
    [
      '1:71: providers.openai.accounts[0].organization: expected printable ASCII text on one line, found "ä"',
      '1:85: providers.openai.accounts[0].project: expected printable ASCII text on one line, found "a\\nb"',
    ],
  ],
  ...[
    'connection',
    'Content-Length',
    'expect',
    'HOST',
    'keep-alive',
    'proxy-connection',
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
  ].map((header): [string, string[]] => [
    `providers: { openai: { headers: { ${header}: "1" }, accounts: [{ name: a, apiKey: k, headers: { ${header}: "1" } }] } }\n`,
    [
      `1:35: providers.openai.headers.${header}: expected another header: this one is about the connection, and the gateway writes it itself`,
      `1:${88 + header.length}: providers.openai.accounts[0].headers.${header}: expected another header: this one is about the connection, and the gateway writes it itself`,
    ],
  ]),
  [
    'providers: { openai: { baseUrl: api.openai.com } }\n',
    [
      '1:33: providers.openai.baseUrl: expected an http:// or https:// URL without credentials, "?" or "#", found "api.openai.com"',
    ],
  ],
  [
    'providers: { openai: { baseUrl: "http://x/v1", discovery: { dns: a, file: b } } }\n',
    ['1:48: providers.openai.discovery: expected exactly one of dns, file, url'],
  ],
  [
    'providers: { openai: { baseUrl: "http://x/v1", discovery: { dns: a, type: SRV, port: 1, headers: { x: y } } } }\n',
    [
      '1:48: providers.openai.discovery: expected only fields that have an effect beside it: take out port, headers',
    ],
  ],
  [
    'providers: { openai: { baseUrl: "http://x/v1", discovery: { file: f, interval: 1s, type: SRV, server: 1.1.1.1 } } }\n',
    [
      '1:48: providers.openai.discovery: expected only fields that have an effect beside it: take out type, server, interval',
    ],
  ],
  [
    'providers: { openai: { baseUrl: "http://x/v1", discovery: { url: "http://y/?a=1", port: 1 } } }\n',
    ['1:48: providers.openai.discovery: expected only fields that have an effect beside it: take out port'],
  ],
  [
    'providers: { openai: { baseUrl: "http://x/v1", discovery: { url: "http://a:b@y/" } } }\n',
    [
      '1:66: providers.openai.discovery.url: expected an http:// or https:// URL without credentials or "#", found text (not shown)',
    ],
  ],
  [
    'providers: { openai: { baseUrl: "http://x/v1", discovery: { dns: a b, server: "localhost:53" } } }\n',
    [
      '1:66: providers.openai.discovery.dns: expected a host name, found "a b"',
      '1:79: providers.openai.discovery.server: expected the IP address of a DNS server, with a port where it is not 53, such as 127.0.0.1:8600, found "localhost:53"',
    ],
  ],
  [
    'providers: { openai: { baseUrl: "http://x/v1", discovery: { dns: a, server: "1.1.1.1:65536" } } }\n',
    [
      '1:77: providers.openai.discovery.server: expected the IP address of a DNS server, with a port where it is not 53, such as 127.0.0.1:8600, found "1.1.1.1:65536"',
    ],
  ],
  [
    'providers: { openai: { baseUrl: "http://x/v1", health: { check: { path: "http://y/", unhealthyAfter: 0 } } } }\n',
    [
      '1:73: providers.openai.health.check.path: expected a path such as /health, or models below the base URL, found "http://y/"',
      '1:102: providers.openai.health.check.unhealthyAfter: expected a whole number of at least 1, found 0',
    ],
  ],
  [
    'providers: { openai: { baseUrl: "http://x/v1", health: { check: { path: "//y/" } } } }\n',
    [
      '1:73: providers.openai.health.check.path: expected a path such as /health, or models below the base URL, found "//y/"',
    ],
  ],
  [
    'providers: { openai: { baseUrl: "http://x/v1", health: { check: { interval: 1s } } } }\n',
    [
      '1:58: providers.openai.health.check.path: expected a path such as /health, or models below the base URL, found nothing',
    ],
  ],
  [
    'providers: { echo: { discovery: { dns: a }, health: { check: { path: / } } } }\n',
    [
      '1:22: providers.echo.discovery: has no effect here: echo has no address',
      '1:55: providers.echo.health.check: has no effect here: echo has no address',
    ],
  ],
  [
    'models: { a/b: { targets: [echo/echo] } }\n',
    ['1:11: models["a/b"]: expected a model name of letters, digits, ".", "_", ":" and "-", without "/"'],
  ],
  ['models: { a: {} }\n', ['1:11: models.a.targets: expected a list of targets, found nothing']],
  ['models: { a: { targets: [] } }\n', ['1:16: models.a.targets: expected at least one target']],
  [
    'models: { a: { targets: gpt-4 } }\n',
    ['1:25: models.a.targets: expected a list of targets, found text (not shown)'],
  ],
  [
    'models: { a: { targets: [gpt-4] } }\n',
    ['1:26: models.a.targets[0]: expected a target, "provider/model-version", found "gpt-4"'],
  ],
  [
    'models: { a: { targets: [7] } }\n',
    [
      '1:26: models.a.targets[0]: expected a target, "provider/model-version", or a mapping with `target`, found 7',
    ],
  ],
  [
    'models: { a: { targets: [{ targt: echo/echo }] } }\n',
    [
      '1:26: models.a.targets[0].target: expected a target, "provider/model-version", found nothing',
      '1:28: models.a.targets[0].targt: unknown key; did you mean "target"?',
    ],
  ],
  [
    'models: { a: { targets: [openai/gpt-5] } }\n',
    [
      '1:26: models.a.targets[0]: expected a target of a provider that is declared under providers, or has its key in OPENAI_API_KEY, found "openai/gpt-5"',
    ],
  ],
  [
    'models: { a: { targets: [ecko/echo] } }\n',
    [
      '1:26: models.a.targets[0]: expected a target of a provider that is declared under providers, found "ecko/echo"; did you mean "echo/echo"?',
    ],
  ],
  [
    `models: { a: { targets: ["\${WORD}/x"] } }\n`,
    [
      `1:26: models.a.targets[0]: expected a target of a provider that is declared under providers, found the value of \${WORD} (not shown)`,
    ],
  ],
  [
    'models: { a: { targets: [echo/echo], strategy: fastes } }\n',
    [
      '1:48: models.a.strategy: expected one of failover, weighted, fastest, cheapest, found "fastes"; did you mean "fastest"?',
    ],
  ],
  [
    'models: { a: { targets: [echo/echo], retries: -1 } }\n',
    ['1:47: models.a.retries: expected a whole number from 0 to 10, found -1'],
  ],
  [
    'models: { a: { targets: [echo/echo], timeouts: { total: 30d } } }\n',
    ['1:57: models.a.timeouts.total: expected more than 0s and at most 24d, found "30d"'],
  ],
  [
    'models: { a: { targets: [echo/echo], successor: b } }\n',
    ['1:49: models.a.successor: expected a model that is declared under models, found "b"'],
  ],
  [
    'models: { a: { targets: [echo/echo] }, A: { targets: [echo/echo] } }\n',
    ['1:40: models.A: collides with "a": only case differs'],
  ],
  [
    'models: { a: { targets: [echo/echo] }, a: { targets: [echo/echo] } }\n',
    ['1:11: models.a: the same key stands above already'],
  ],
  [
    'prices: { gpt-5: { input: 1 } }\n',
    [
      '1:11: prices.gpt-5: expected a target or a pattern of targets, "provider/model-version" or "provider/*"',
    ],
  ],
  [
    'prices: { echo/echo: { tiers: { default: 1, us+standard: 1, service_tier_flex: 1 } } }\n',
    [
      '1:33: prices["echo/echo"].tiers.default: expected a tier that records name: the standard way has none, its price is the price itself',
      '1:45: prices["echo/echo"].tiers["us+standard"]: expected a tier that records name: the standard way has none, its price is the price itself',
      '1:61: prices["echo/echo"].tiers.service_tier_flex: expected a tier that records name: the standard way has none, its price is the price itself',
    ],
  ],
  [
    'prices: { echo/echo: { output: 1 }, echo/a: { input: 1, tiers: { flex: 1 } }, echo/b: { tiers: { flex: { output: 1 } } } }\n',
    [
      '1:11: prices["echo/echo"]: expected input and output beside each other, 0 for what costs nothing',
      '1:37: prices["echo/a"]: expected input and output beside each other, 0 for what costs nothing',
      '1:98: prices["echo/b"].tiers.flex: expected input and output beside each other, 0 for what costs nothing',
    ],
  ],
  ['prices: { echo/echo: {} }\n', ['1:11: prices["echo/echo"]: expected at least one price']],
  [
    'prices: { echo/echo: { input: -1, output: 1 } }\n',
    ['1:31: prices["echo/echo"].input: expected dollars, 0 or more, found -1'],
  ],
  [
    'prices: { echo/echo: { tiers: { fast: -1, flex: twice, us: { input: 1, output: 1, inputs: 1 }, batch: {}, "Not one": 1 } } }\n',
    [
      '1:39: prices["echo/echo"].tiers.fast: expected a multiple of the price, 0 or more, or prices, found -1',
      '1:49: prices["echo/echo"].tiers.flex: expected a multiple of the price, 0 or more, or prices, found "twice"',
      '1:83: prices["echo/echo"].tiers.us.inputs: unknown key; did you mean "input"?',
      '1:96: prices["echo/echo"].tiers.batch: expected at least one price',
      '1:107: prices["echo/echo"].tiers["Not one"]: expected a tier such as "priority", "flex" or "fast+us"',
    ],
  ],
  [
    'tenants: { t: {} }\n',
    ['1:12: tenants.t.models: expected a list of model names or patterns, found nothing'],
  ],
  [
    `models: { hello: { targets: [echo/echo] } }
tenants: { t: { models: ["*"], modelLimits: { helllo: { requestsPerMinute: 1 }, "he*": {}, hello: {}, echo/x: {}, nobody/x: {} } } }
`,
    [
      '2:47: tenants.t.modelLimits.helllo: expected a model that is declared under models; did you mean "hello"?',
      '2:115: tenants.t.modelLimits["nobody/x"]: expected a target of a provider that is declared under providers',
    ],
  ],
  [
    `${MODEL}tenants: { t: { models: [b, "a*", echo/x, gemini/x] } }\n`,
    [
      '2:26: tenants.t.models[0]: expected a model that is declared under models, found "b"',
      '2:43: tenants.t.models[3]: expected a target of a provider that is declared under providers, or has its key in GEMINI_API_KEY or GOOGLE_API_KEY, found "gemini/x"',
    ],
  ],
  [
    'tenants: { t: { models: [], keys: [{ name: k, secret: short }] } }\n',
    [
      '1:55: tenants.t.keys[0].secret: expected a secret of at least 8 printable characters without spaces, found text (not shown)',
    ],
  ],
  [
    'tenants: { t: { models: [], keys: [{ name: k, secret: sk-fl-123456 }] }, u: { models: [], keys: [{ name: k, secret: sk-fl-123456 }] } }\n',
    ['1:117: tenants.u.keys[0]: has the same secret as tenants.t.keys[0]'],
  ],
  [
    'tenants: { t: { models: [], keys: [{ name: k, secret: sk-fl-admin-key }] } }\n',
    ['1:55: tenants.t.keys[0].secret: is the same as FAIRLEAD_ADMIN_KEY: choose another secret'],
  ],
  [
    'tenants: { t: { models: [], keys: [{ name: k, secret: sk-fl-123456, expires: 2027-02-30 }] } }\n',
    [
      '1:78: tenants.t.keys[0].expires: expected a date such as 2027-01-31, or a moment such as 2027-01-31T12:00:00Z, found "2027-02-30"',
    ],
  ],
  [
    'tenants: { t: { models: [], limits: { budgets: [{ usd: 1, tokens: 1, per: day }, { usd: 1 }] } } }\n',
    [
      '1:49: tenants.t.limits.budgets[0]: expected exactly one of usd, tokens',
      '1:82: tenants.t.limits.budgets[1].per: expected one of hour, day, month, total, found nothing',
    ],
  ],
  [
    'tenants: { t/u: { models: [] } }\n',
    [
      '1:12: tenants["t/u"]: expected a name of letters, digits, ".", "_" and "-", starting with a letter or digit',
    ],
  ],
  [
    `${MODEL}rollouts: { r: { model: b, stable: echo/a, candidate: echo/b } }\n`,
    ['2:25: rollouts.r.model: expected a model that is declared under models, found "b"'],
  ],
  [
    `${MODEL}rollouts: { r: { model: a, stable: echo, candidate: nowhere/b } }\n`,
    [
      '2:36: rollouts.r.stable: expected a target, "provider/model-version", found "echo"',
      '2:53: rollouts.r.candidate: expected a target of a provider that is declared under providers, found "nowhere/b"',
    ],
  ],
  [
    `${MODEL}rollouts: { r: { model: a, stable: echo/echo, candidate: echo/b, gates: { judge: { share: 1 } } } }\n`,
    ['2:75: rollouts.r.gates.judge: expected a model, or a prompt that names one'],
  ],
  [
    `${MODEL}rollouts: { r: { model: a, label: staging, stable: echo/echo, candidate: echo/b } }\n`,
    ['2:13: rollouts.r: expected a label only beside a prompt'],
  ],
  [
    'rollouts: { r: { prompt: p, stable: 1, candidate: { target: echo/b } }, s: { prompt: p, stable: 1, candidate: 1 } }\n',
    [
      '1:40: rollouts.r.candidate: expected the number, a label or the hash of a version of the prompt, found a mapping',
      '1:86: rollouts.s.prompt: is moved already by rollouts.r',
      '1:111: rollouts.s.candidate: is the same as stable',
    ],
  ],
  [
    `${MODEL}rollouts: { r: { stable: echo/a, candidate: echo/b } }\n`,
    ['2:13: rollouts.r: expected exactly one of model, prompt'],
  ],
  [
    MODEL +
      'rollouts: { r: { model: a, stable: echo/echo, candidate: echo/b, steps: [{ weight: 10, hold: 1m }, { weight: 5, hold: 1m }] } }\n',
    ['2:66: rollouts.r.steps: expected steps with rising weights'],
  ],
  [
    `${MODEL}tenants: { t: { models: [a], capture: { mode: full, redact: ['(', 'x*'] } } }\n`,
    [
      '2:62: tenants.t.capture.redact[0]: expected a regular expression as JavaScript writes it, with the flag u, found "("',
      '2:67: tenants.t.capture.redact[1]: expected a regular expression that does not match nothing at all, found "x*"',
    ],
  ],
  [
    'webhooks: { w: { url: "https://user:pass@x.example", secret: whsec_c2hvcnQ, severity: loud } }\n',
    [
      '1:23: webhooks.w.url: expected an http:// or https:// URL without credentials, "?" or "#", found text (not shown)',
      '1:62: webhooks.w.secret: expected whsec_ and 24 to 64 random bytes in base64 (echo "whsec_$(openssl rand -base64 32)"), found text (not shown)',
      '1:87: webhooks.w.severity: expected one of info, warning, alarm, found "loud"',
    ],
  ],
  [
    'alerts: { a: { errorRate: 0.1, spendUsd: 5 }, b: { p95Latency: 0s, over: 30s } }\n',
    [
      '1:11: alerts.a: expected exactly one of errorRate, p95Latency, p95FirstToken, spendUsd',
      '1:64: alerts.b.p95Latency: expected more than 0s, found "0s"',
      '1:74: alerts.b.over: expected from 1m to 24h, found "30s"',
    ],
  ],
  [
    `${MODEL}rollouts: { r: { model: a, stable: echo/echo, candidate: echo/b, gates: { errorRate: 2 } } }\n`,
    ['2:86: rollouts.r.gates.errorRate: expected a share from 0 to 1, found 2'],
  ],
  [
    `${MODEL}rollouts: { r: { model: a, stable: echo/a, candidate: echo/b } }\n`,
    ['2:36: rollouts.r.stable: expected a target of the model \'a\', found "echo/a"'],
  ],
  [
    `${MODEL}rollouts: { r: { model: a, stable: echo/echo, candidate: echo/echo } }\n`,
    ['2:58: rollouts.r.candidate: is the same as stable'],
  ],
  [
    `${MODEL}rollouts: { r: { model: a, stable: { target: echo/echo, parameters: { seed: 1 } }, candidate: 3 } }\n`,
    [
      '2:95: rollouts.r.candidate: expected a target: the number of a release is taken by PUT /admin/v1/rollouts/NAME alone, which writes out what it is',
    ],
  ],
  [
    `${MODEL}rollouts: { r: { model: a, stable: { target: echo/echo, parameters: { seed: 1 } }, candidate: echo/b } }\n`,
    ["2:57: rollouts.r.stable.parameters: is not what the target of 'a' has"],
  ],
  [
    `${MODEL}rollouts: { r: { model: a, stable: echo/echo, candidate: echo/b, steps: [] } }\n`,
    ['2:66: rollouts.r.steps: expected at least one step'],
  ],
  [
    'providers: { p: { adapter: openai-compatible, baseUrl: http://x/v1, accounts: [{ name: eu, apiKey: k }] } }\nmodels: { a: { targets: [{ target: p/m, account: us }] } }\n',
    ['2:50: models.a.targets[0].account: expected an account of the provider \'p\', found "us"'],
  ],
  [
    `${MODEL}rollouts: { r: { model: a, stable: echo/echo, candidate: echo/b, onFail: abort } }\n`,
    ['2:74: rollouts.r.onFail: expected one of rollback, pause, found "abort"'],
  ],
  ['prompts: ./prompts\n', ['1:10: prompts: expected a mapping, found text (not shown)']],
  [
    'a: [\n',
    ['2:1: not valid YAML: the indentation does not fit the lines above, or a bracket there is not closed'],
  ],
];

for (const [text, expected] of BROKEN) {
  test(`${text.trim()} → ${expected[0]}`, () => {
    const problems = problemsOf(text, ENV).map((problem) =>
      formatProblem(problem).replace(/^test\.yaml:/, ''),
    );
    assert.deepEqual(problems, expected);
  });
}
