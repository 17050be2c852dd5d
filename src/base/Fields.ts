/**
 * The fields of a log line.
 */

/** Those that have a value, in their order: the loggers of apps print the others, too. */
export const defined = (fields: object): object => {
  const known: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) known[name] = value
  return known
}
