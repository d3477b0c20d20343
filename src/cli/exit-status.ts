/** Of a command that a person stopped: what shells expect of one that ends for SIGINT. */
export const STOPPED = 130;
