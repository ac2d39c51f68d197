import { renderDecimal } from './numbers.ts';

/** A profile as Node writes one with `--cpu-prof` (https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile). */
export interface CpuProfile {
  nodes: { id: number; callFrame: CallFrame; children?: number[] }[];
  /** The node that ran, and microseconds since the sample before. */
  samples: number[];
  timeDeltas: number[];
}

interface CallFrame {
  functionName: string;
  url: string;
  lineNumber: number;
}

/** A function as it was called on one way, over all calls of it there. */
interface Frame {
  name: string;
  kind: Kind;
  us: number;
  callees: Map<string, Frame>;
}

type Kind = 'ours' | 'node' | 'collector' | 'native';

const COLORS: Record<Kind, string> = {
  ours: '#2f81f7',
  node: '#8b949e',
  collector: '#d29922',
  native: '#6e7681',
};
const WIDTH = 1_200;
const ROW = 17;
/** What is narrower says nothing. */
const LEAST_PX = 2;
/** About how wide a letter is. */
const LETTER_PX = 6.4;
const IDLE: ReadonlySet<string> = new Set(['(idle)', '(program)']);

/** Where the time of a process went, as SVG: callers below those that they call, each as wide as its share. Idle time is left out. */
export function renderFlameGraph(profile: CpuProfile): string {
  const root = readFrames(profile);
  const boxes: string[] = [];
  const depth = place(root, 0, WIDTH, 0, WIDTH / root.us, boxes, root.us);
  const height = depth * ROW;
  // SVG counts from the top, and flames rise.
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" ` +
    `font-family="ui-monospace, monospace" font-size="11">\n` +
    `<title>CPU time by function</title>\n` +
    `<g transform="translate(0 ${height}) scale(1 -1)">\n${boxes.join('\n')}\n</g>\n</svg>\n`
  );
}

function readFrames({ nodes, samples, timeDeltas }: CpuProfile): Frame {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const callers = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  const root: Frame = { name: 'all', kind: 'native', us: 0, callees: new Map() };
  for (const [index, sample] of samples.entries()) {
    const us = timeDeltas[index] ?? 0;
    const way: CallFrame[] = [];
    for (let id: number | undefined = sample; id !== undefined; id = callers.get(id)) {
      const node = byId.get(id);
      if (node && node.callFrame.functionName !== '(root)') way.push(node.callFrame);
    }
    if (us <= 0 || IDLE.has(way[0]?.functionName ?? '(idle)')) continue;
    root.us += us;
    let frame = root;
    for (const callFrame of way.reverse()) frame = enter(frame, callFrame, us);
  }
  return root;
}

function enter(caller: Frame, { functionName, url, lineNumber }: CallFrame, us: number): Frame {
  const key = `${functionName} ${url}:${lineNumber}`;
  let frame = caller.callees.get(key);
  if (!frame) {
    const name = functionName === '' ? `(anonymous) ${url.slice(url.lastIndexOf('/') + 1)}` : functionName;
    frame = { name, kind: kindOf(functionName, url), us: 0, callees: new Map() };
    caller.callees.set(key, frame);
  }
  frame.us += us;
  return frame;
}

function kindOf(functionName: string, url: string): Kind {
  if (functionName === '(garbage collector)') return 'collector';
  if (url.startsWith('node:')) return 'node';
  return url === '' ? 'native' : 'ours';
}

/** Gives how many rows there are up to the highest. */
function place(
  frame: Frame,
  x: number,
  width: number,
  row: number,
  pxPerUs: number,
  boxes: string[],
  allUs: number,
): number {
  boxes.push(renderBox(frame, x, width, row, allUs));
  let depth = row + 1;
  let at = x;
  for (const callee of [...frame.callees.values()].sort((a, b) => b.us - a.us)) {
    const wide = callee.us * pxPerUs;
    if (wide >= LEAST_PX) depth = Math.max(depth, place(callee, at, wide, row + 1, pxPerUs, boxes, allUs));
    at += wide;
  }
  return depth;
}

function renderBox({ name, kind, us }: Frame, x: number, width: number, row: number, allUs: number): string {
  const y = row * ROW;
  const said = escapeText(`${name}: ${renderDecimal((100 * us) / allUs)} %`);
  const letters = Math.floor((width - 6) / LETTER_PX);
  const label =
    letters < 3 ? '' : escapeText(name.length > letters ? `${name.slice(0, letters - 1)}…` : name);
  const text = `<text transform="translate(${(x + 3).toFixed(1)} ${y + 5}) scale(1 -1)" fill="#fff">${label}</text>`;
  return (
    `<g><title>${said}</title><rect x="${x.toFixed(1)}" y="${y}" width="${Math.max(0, width - 1).toFixed(1)}" ` +
    `height="${ROW - 1}" fill="${COLORS[kind]}"/>${label === '' ? '' : text}</g>`
  );
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
