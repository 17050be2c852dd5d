// A file of settings with many rules.

/** @returns {((amount: number) => readonly string[]) | undefined} the flags for so many rules; nothing if the program knows no rules */
export const manyRules = () => undefined
