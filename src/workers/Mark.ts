/** A variable that the primary gives its workers, as there are others who start programs with a line to themselves. */
export const mark = "EFFECT_SOCKS_WORKER"
