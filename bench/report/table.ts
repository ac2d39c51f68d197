export interface Column {
  title: string;
  align: 'left' | 'right';
}

/** A Markdown table whose columns also line up in a terminal. Each row has one cell a column. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map((column, index) =>
    Math.max(3, column.title.length, ...rows.map((row) => (row[index] ?? '').length)),
  );
  const renderRow = (cells: readonly string[]): string => {
    const padded = columns.map((column, index) => pad(cells[index] ?? '', widths[index] ?? 0, column.align));
    return `| ${padded.join(' | ')} |`;
  };
  const rule = columns.map((column, index) => renderRule(widths[index] ?? 0, column.align));
  return [
    renderRow(columns.map((column) => column.title)),
    `| ${rule.join(' | ')} |`,
    ...rows.map(renderRow),
  ].join('\n');
}

function pad(cell: string, width: number, align: Column['align']): string {
  return align === 'left' ? cell.padEnd(width) : cell.padStart(width);
}

function renderRule(width: number, align: Column['align']): string {
  return align === 'left' ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`;
}
