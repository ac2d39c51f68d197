import assert from 'node:assert/strict';

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)/gy;
const ESCAPES: Readonly<Record<string, string>> = { '\\\\': '\\', '\\"': '"', '\\n': '\n' };

/**
 * Reads the text format of Prometheus, version 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats), and refuses what is not in it:
 * a sample before its type, a type that stands twice, a series that stands twice.
 */
export function parseMetrics(text: string): Sample[] {
  assert.ok(text.endsWith('\n'), 'the last line has its end');
  const types = new Map<string, string>();
  const seen = new Set<string>();
  const samples: Sample[] = [];
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# HELP ')) continue;
    if (line.startsWith('# TYPE ')) {
      const [, , name = '', type = ''] = line.split(' ');
      assert.ok(!types.has(name), `${name} has its type twice`);
      assert.match(type, /^(?:counter|gauge|histogram)$/);
      types.set(name, type);
      continue;
    }
    const [, name = '', labels = '', value = ''] = LINE.exec(line) ?? assert.fail(`no sample: ${line}`);
    assert.ok(types.has(name) || types.has(name.replace(/_(?:bucket|sum|count)$/, '')), `no type: ${name}`);
    assert.ok(!seen.has(`${name}{${labels}}`), `twice: ${line}`);
    seen.add(`${name}{${labels}}`);
    samples.push({ name, labels: parseLabels(labels), value: value === '+Inf' ? Infinity : Number(value) });
    assert.ok(!Number.isNaN(samples.at(-1)?.value), line);
  }
  return samples;
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  let read = 0;
  for (const [match, name = '', value = ''] of text.matchAll(LABEL)) {
    labels[name] = value.replace(/\\[\\"n]/g, (pair) => ESCAPES[pair] ?? pair);
    read += match.length;
  }
  assert.equal(read, text.length, `labels: ${text}`);
  return labels;
}
