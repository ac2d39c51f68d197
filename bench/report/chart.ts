import { type Figure, readFigure } from '../figures.ts';
import type { Results } from '../measure/results.ts';
import { renderCount, renderDecimal } from './numbers.ts';

interface Panel {
  title: string;
  scenario: string;
  figure: Figure;
}

const PANELS: readonly Panel[] = [
  { title: '1 KB call, µs of CPU', scenario: 'call-1kb', figure: 'cpuUs' },
  { title: '1 KB call, chat to Anthropic and back, µs of CPU', scenario: 'translated-1kb', figure: 'cpuUs' },
  { title: 'Streamed chunk, µs of CPU', scenario: 'stream-one-by-one', figure: 'cpuUs' },
  { title: 'Memory of an open stream, KB', scenario: 'fresh', figure: 'kbPerStream' },
];

/** Bars, from the top; ours has the strong colour. */
const SUBJECTS = [
  { name: 'nginx', label: 'nginx (passes on)', color: '#8b949e' },
  { name: 'fairlead', label: 'Fairlead', color: '#2f81f7' },
  { name: 'portkey', label: 'Portkey gateway', color: '#8b949e' },
] as const;

const WIDTH = 720;
const BAR = { left: 150, width: 480, height: 14, gap: 6 };
const TITLE_HEIGHT = 26;
const PANEL_GAP = 14;

/** A picture of the figures that people compare, as SVG that reads on light and on dark. What was not measured has no bar. */
export function renderChart(results: Results): string {
  let y = 4;
  const parts: string[] = [];
  for (const panel of PANELS) {
    const bars = SUBJECTS.flatMap((subject) => {
      const value = readFigure(results, { ...panel, subject: subject.name });
      return value === undefined ? [] : [{ ...subject, value }];
    });
    if (bars.length === 0) continue;
    parts.push(renderText(0, y + 14, panel.title, 'font-weight="600"'));
    y += TITLE_HEIGHT;
    const most = Math.max(...bars.map(({ value }) => value));
    for (const { label, color, value } of bars) {
      const width = Math.max(1, (value / most) * BAR.width).toFixed(1);
      parts.push(
        renderText(0, y + 11, label),
        `<rect x="${BAR.left}" y="${y}" width="${width}" height="${BAR.height}" rx="2" fill="${color}"/>`,
        renderText(
          BAR.left + Number(width) + 6,
          y + 11,
          value < 100 ? renderDecimal(value) : renderCount(value),
        ),
      );
      y += BAR.height + BAR.gap;
    }
    y += PANEL_GAP;
  }
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" ` +
    `font-family="system-ui, sans-serif" font-size="12" fill="#7d8590">\n` +
    `<title>What Fairlead costs beside others</title>\n${parts.join('\n')}\n</svg>\n`
  );
}

function renderText(x: number, y: number, text: string, more = ''): string {
  return `<text x="${x}" y="${y}" ${more}>${text}</text>`.replace(' >', '>');
}
