/** One test and what became of it. */
export interface JunitCase {
  name: string;
  seconds: number;
  /** Why it failed, or (`error`) could not be run: a line for the list and the whole; absent where it passed. */
  problem?: { kind: 'failure' | 'error'; message: string; text: string };
}

export interface JunitSuite {
  name: string;
  cases: readonly JunitCase[];
}

/**
 * Results as the XML that CI servers read. It is valid by both schemas that are about: that of Ant's JUnit task, which wants more of a suite
 * than anybody reads, and that of Jenkins' xUnit plugin.
 *
 * Sources: `JUnit.xsd` of windyroad/JUnit-Schema; `junit-10.xsd` of jenkinsci/xunit-plugin.
 *
 * @param startedAt Unix milliseconds
 */
export function writeJunit(suites: readonly JunitSuite[], startedAt: number): string {
  const written = suites.map((suite, index) => writeSuite(suite, index, startedAt));
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${written.join('')}</testsuites>\n`;
}

function writeSuite({ name, cases }: JunitSuite, index: number, startedAt: number): string {
  const count = (kind: string) => cases.filter(({ problem }) => problem?.kind === kind).length;
  const seconds = cases.reduce((sum, one) => sum + one.seconds, 0);
  // A time zone may not be said: it is UTC.
  const timestamp = new Date(startedAt).toISOString().slice(0, 'YYYY-MM-DDThh:mm:ss'.length);
  const attributes = [
    ...[`name=${quote(name)}`, `package=${quote(name)}`, `id="${index}"`],
    ...[`timestamp="${timestamp}"`, 'hostname="localhost"'],
    ...[`tests="${cases.length}"`, `failures="${count('failure')}"`, `errors="${count('error')}"`],
    ...['skipped="0"', `time="${seconds.toFixed(3)}"`],
  ];
  const written = cases.map((one) => writeCase(name, one)).join('');
  return `  <testsuite ${attributes.join(' ')}>\n    <properties/>\n${written}    <system-out/>\n    <system-err/>\n  </testsuite>\n`;
}

function writeCase(suite: string, { name, seconds, problem }: JunitCase): string {
  const head = `    <testcase classname=${quote(suite)} name=${quote(name)} time="${seconds.toFixed(3)}"`;
  if (!problem) return `${head}/>\n`;
  const { kind, message, text } = problem;
  return `${head}>\n      <${kind} message=${quote(message)} type="${kind}">${escapeXml(text)}</${kind}>\n    </testcase>\n`;
}

function quote(text: string): string {
  return `"${escapeXml(text).replaceAll('"', '&quot;').replaceAll('\n', '&#10;').replaceAll('\t', '&#9;')}"`;
}

/** What XML 1.0 cannot hold at all stands there as U+FFFD. */
function escapeXml(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '\uFFFD')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('\r', '&#13;');
}
