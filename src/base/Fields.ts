/**
 * The fields of a log line.
 */

/**
 * The fields with a value, in their order, but for those with these names. Loggers of apps would also print fields without
 * a value. Each session has a line, so nothing else is made than the result.
 */
export const defined = (fields: object, omitted: ReadonlySet<string> = none): Record<string, unknown> => {
  const known: Record<string, unknown> = {}
  for (const name of Object.keys(fields)) {
    const value = (fields as Record<string, unknown>)[name]
    if (value !== undefined && !omitted.has(name)) known[name] = value
  }
  return known
}

const none: ReadonlySet<string> = new Set()
