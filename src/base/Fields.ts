/**
 * The fields of a log line.
 */

/** The fields with a value, in their order. Loggers of apps would also print fields without a value. */
export const defined = (fields: object): Record<string, unknown> => {
  const known: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) known[name] = value
  return known
}
