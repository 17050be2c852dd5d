/** The environment variable by which a worker is told from a program that another process manager started with IPC. */
export const mark = "EFFECT_SOCKS_WORKER"
