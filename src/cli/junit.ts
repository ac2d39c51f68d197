/** One test and what became of it. */
export interface JunitCase {
  name: string;
  seconds: number;
  /** Why it failed, a line for the list and the whole; absent where it passed. */
  failure?: { message: string; text: string };
}

export interface JunitSuite {
  name: string;
  cases: readonly JunitCase[];
}

/** Results as the XML that CI servers read. Source: the schema that Jenkins' xUnit plugin has (`junit-10.xsd`). */
export function writeJunit(suites: readonly JunitSuite[]): string {
  const written = suites.map(({ name, cases }) => {
    const failed = cases.filter(({ failure }) => failure).length;
    const seconds = cases.reduce((sum, one) => sum + one.seconds, 0);
    const head = `name=${quote(name)} tests="${cases.length}" failures="${failed}" errors="0" skipped="0" time="${seconds.toFixed(3)}"`;
    return `  <testsuite ${head}>\n${cases.map((one) => writeCase(name, one)).join('')}  </testsuite>\n`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${written.join('')}</testsuites>\n`;
}

function writeCase(suite: string, { name, seconds, failure }: JunitCase): string {
  const head = `    <testcase classname=${quote(suite)} name=${quote(name)} time="${seconds.toFixed(3)}"`;
  if (!failure) return `${head}/>\n`;
  const { message, text } = failure;
  return `${head}>\n      <failure message=${quote(message)} type="failure">${escapeXml(text)}</failure>\n    </testcase>\n`;
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
