/**
 * An error as what it carries, to compare it with.
 */
export const fields = (error: object): Readonly<Record<string, unknown>> => ({ ...error })
