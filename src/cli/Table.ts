/**
 * Tables for terminals: columns as wide as their texts.
 */

export interface Column<in Row> {
  readonly title: string
  readonly of: (row: Row) => string
  /** Whether the texts are aligned at their ends. */
  readonly isNumber?: boolean
}

/** A line for the titles, and one for each row, without spaces at the ends. */
export const lines = <Row>(
  columns: ReadonlyArray<Column<Row>>,
  rows: ReadonlyArray<Row>
): ReadonlyArray<string> => {
  const texts = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map((column) => column.of(row)))
  ]
  const widths = columns.map((_, index) =>
    texts.reduce((width, line) => Math.max(width, line[index]?.length ?? 0), 0)
  )
  return texts.map((line) =>
    line
      .map((text, index) =>
        columns[index]?.isNumber ? text.padStart(widths[index]!) : text.padEnd(widths[index]!)
      )
      .join("  ")
      .trimEnd()
  )
}
