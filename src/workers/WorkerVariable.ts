/** The environment variable of a worker. Without it, a program with an IPC channel was started by another process manager. */
export const workerVariable = "EFFECT_SOCKS_WORKER"
