export interface TableColumn {
  title: string;
  /** Numbers are to the right, so that their digits stand under each other. */
  align: 'left' | 'right';
}

/** Columns that are aligned alike. */
export function alignColumns(align: TableColumn['align'], titles: readonly string[]): TableColumn[] {
  return titles.map((title) => ({ title, align }));
}

const GAP = '  ';
const LONGEST_CELL = 60;

/** Rows of cells as lines of text in aligned columns, a title line first. */
export function formatTable(columns: readonly TableColumn[], rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map(toPrintable));
  const widths = columns.map(({ title }, index) =>
    cells.reduce((width, row) => Math.max(width, row[index]?.length ?? 0), title.length),
  );
  const lines = [columns.map(({ title }) => title), ...cells].map((row) =>
    columns
      .map(({ align }, index) => {
        const cell = row[index] ?? '';
        const width = widths[index] ?? 0;
        return align === 'left' ? cell.padEnd(width) : cell.padStart(width);
      })
      .join(GAP)
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}

/** Cells may hold what a caller wrote, such as a model's name: no control character of theirs reaches a terminal. */
function toPrintable(text: string): string {
  const safe = text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `\\u{${code.toString(16)}}`;
  });
  return safe.length > LONGEST_CELL ? `${safe.slice(0, LONGEST_CELL - 1)}…` : safe;
}
